package durableobject_test

import (
	"context"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/durableobject"
	"github.com/openova-io/failoverd/lease/witness"
	store "github.com/openova-io/failoverd/lease/witness/durableobject"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

func open(t *testing.T, srv *durableobject.Server, group string) *store.Store {
	t.Helper()
	s, err := store.New(store.Config{URL: srv.URL, Token: durableobject.Token, Group: group})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Each test of the suite has a group of its own, and so an object.
func TestConformance(t *testing.T) {
	srv := durableobject.Start(t, durableobject.Options{})
	witnesstest.Run(t, func(t *testing.T) witness.Store { return open(t, srv, t.Name()) })
}

// Workerd is killed and started again on the same storage, and frozen, again and again, while clients write and read. What is
// sent to one that is frozen waits in its socket: it lands when the client has given it up long since.
func TestLinearizable(t *testing.T) {
	srv := durableobject.Start(t, durableobject.Options{})
	witnesstest.RunLinearizable(t, func(t *testing.T) witness.Store { return open(t, srv, "g") }, func(t *testing.T, c *witnesstest.Clients) {
		for range 3 {
			if err := srv.Process().Kill(); err != nil {
				t.Fatal(err)
			}
			c.Await(5)
			srv.Restart()
			c.AwaitAnswers(20)
			ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
			err := srv.Process().Freeze(ctx)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			c.Await(2)
			if err := srv.Process().Thaw(); err != nil {
				t.Fatal(err)
			}
			c.AwaitAnswers(20)
		}
	})
}
