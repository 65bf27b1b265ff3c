package kvserver_test

import (
	"testing"

	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

// testStore runs the suite of all witness stores against Cloudflare's own code.
func testStore(t *testing.T, srv *kvserver.Server) {
	store, err := cloudflarekv.New(cloudflarekv.Config{
		AccountID: srv.AccountID, NamespaceID: srv.NamespaceID, Token: srv.Token, BaseURL: srv.BaseURL,
	})
	if err != nil {
		t.Fatal(err)
	}
	witnesstest.Run(t, func(t *testing.T) witness.Store { return witnesstest.Folder(store, t.Name()) })
}
