package kvserver_test

import (
	"context"
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
	witnesstest.Run(t, func(t *testing.T) witness.Store { return folder{store, t.Name() + "/"} })
}

// A folder is an empty store within another.
type folder struct {
	witness.Store
	name string
}

func (f folder) Put(ctx context.Context, key string, value []byte) error {
	return f.Store.Put(ctx, f.name+key, value)
}

func (f folder) Get(ctx context.Context, key string) ([]byte, error) {
	return f.Store.Get(ctx, f.name+key)
}
