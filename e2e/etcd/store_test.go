package etcd_test

import (
	"testing"

	"github.com/openova-io/failoverd/e2e/etcd"
	"github.com/openova-io/failoverd/lease/witness"
	store "github.com/openova-io/failoverd/lease/witness/etcd"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

func open(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestConformance(t *testing.T) {
	s := open(t, store.Config{Endpoints: etcd.Start(t, 1).Endpoints(0)})
	witnesstest.Run(t, func(t *testing.T) witness.Store { return witnesstest.Folder(s, t.Name()) })
}

// Each client speaks to another member first. Whatever happens to a minority of
// the members, or to all of them for a while, is no more than unknown outcomes.
func TestLinearizable(t *testing.T) {
	cluster := etcd.StartApart(t, 3)
	first := 0
	open := func(t *testing.T) witness.Store {
		first++
		return open(t, store.Config{Endpoints: cluster.Endpoints(first)})
	}
	witnesstest.RunLinearizable(t, open, func(t *testing.T, c *witnesstest.Clients) {
		freeze := func(i int) {
			t.Helper()
			if err := cluster.Members[i].Freeze(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		thaw := func(i int) {
			t.Helper()
			if err := cluster.Members[i].Thaw(); err != nil {
				t.Fatal(err)
			}
		}
		leader := cluster.Leader(t)
		other, third := (leader+1)%3, (leader+2)%3

		freeze(other)
		c.AwaitAnswers(20)
		if err := cluster.Members[third].Kill(); err != nil { // the quorum is lost
			t.Fatal(err)
		}
		c.Await(2)
		thaw(other)
		c.AwaitAnswers(20)
		cluster.Start(t, third)
		cluster.Await(t, third)

		freeze(leader) // another takes over
		c.AwaitAnswers(20)
		thaw(leader) // and does not believe that it leads still
		c.AwaitAnswers(20)

		leader = cluster.Leader(t)
		cluster.Cut(t, leader) // it leads nobody, and must not answer as if
		c.AwaitAnswers(20)
		cluster.Mend(t, leader)
		c.AwaitAnswers(20)

		cluster.MoveLeader(t)
		c.AwaitAnswers(20)

		if err := cluster.Members[cluster.Leader(t)].Kill(); err != nil {
			t.Fatal(err)
		}
		c.AwaitAnswers(20)
	})
}
