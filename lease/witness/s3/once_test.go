package s3_test

import (
	"net/http"
	"testing"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

func TestSentOnce(t *testing.T) {
	witnesstest.RunSentOnce(t, func(t *testing.T, url string, client *http.Client) witness.Store {
		cfg := configFor(url)
		cfg.HTTPClient = client
		return open(t, cfg)
	})
}
