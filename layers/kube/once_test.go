package kube

import (
	"bytes"
	"context"
	"net/http"
	"testing"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

// writes sends requests of Once.
type writes struct {
	url    string
	client *http.Client
}

func (w writes) do(ctx context.Context, method, key string, body []byte) error {
	r, err := http.NewRequestWithContext(Once(ctx), method, w.url+"/"+key, bytes.NewReader(body))
	if err != nil {
		return err
	}
	res, err := w.client.Do(r)
	if err != nil {
		return &witness.Error{Class: witness.Unreachable, Op: method, Key: key, Err: err}
	}
	return res.Body.Close()
}

func (w writes) Put(ctx context.Context, key string, value []byte) error {
	return w.do(ctx, http.MethodPut, key, value)
}

func (w writes) Get(ctx context.Context, key string) ([]byte, error) {
	return nil, w.do(ctx, http.MethodGet, key, nil)
}

// A write of the record that instances share, sent twice, would be refused for a conflict with itself.
func TestOnce(t *testing.T) {
	witnesstest.RunSentOnce(t, func(t *testing.T, url string, client *http.Client) witness.Store {
		c := *client
		c.Transport = once{c.Transport}
		return writes{url, &c}
	})
}
