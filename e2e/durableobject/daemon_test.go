package durableobject_test

import (
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/durableobject"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

// times are those of a store that is never stale. They are short, and still far above what a busy machine delays.
func times(members ...lease.Region) lease.Params {
	p := daemon.DefaultTimes(members...)
	p.TTL, p.RenewInterval, p.RetryInterval, p.PollInterval = 15*time.Second, 3*time.Second, time.Second, time.Second
	p.RequestTimeout, p.FenceTimeout = 3*time.Second, 5*time.Second
	return p
}

// newGroup is regions on the Worker, whose daemons run.
func newGroup(t *testing.T, srv *durableobject.Server, params lease.Params, quorum *daemon.Quorum) *daemon.Group {
	t.Helper()
	g := daemon.NewGroupOn(t, daemon.Build(t, true), params, quorum, func(*daemon.Region) string { return srv.Witness(srv.URL) })
	for _, r := range g.Regions {
		r.Start(t)
	}
	return g
}

// Workerd is killed and comes back within the TTL: nobody loses or takes anything. Then the holder is killed: another one
// takes, not before the authority of the first has ended.
func TestDaemons(t *testing.T) {
	srv := durableobject.Start(t, durableobject.Options{})
	g := newGroup(t, srv, times("fsn", "hel", "nbg"), nil)
	first := daemon.Holder(t, g.Regions...)
	for _, r := range g.Regions {
		if r != first {
			r.Await(t, "is standby", func(s daemon.Status) bool { return s.State == lease.Standby })
		}
	}
	before, had := daemon.Transitions(t, g.Regions...), first.Authority(t)
	for range 3 {
		if err := srv.Process().Kill(); err != nil {
			t.Fatal(err)
		}
		daemon.Await(t, "the holder has missed a renewal", func() bool {
			s, err := first.Status(t.Context())
			return err == nil && !s.Witness.Up
		})
		srv.Restart()
		at := bootclock.Clock{}.Now()
		daemon.Await(t, "the holder has renewed since workerd runs again", func() bool {
			return first.Authority(t).Deadline > at.Add(g.Params.TTL)
		})
	}
	if n, has := daemon.Transitions(t, g.Regions...), first.Authority(t); n != before || has.Epoch != had.Epoch {
		t.Errorf("%d transitions, epoch %d, want none since there were %d, and epoch %d: the witness was back within the TTL", n, has.Epoch, before, had.Epoch)
	}

	second, gap := g.Failover(t, first)
	t.Logf("%s took %v after the last renewal of %s, whose TTL is %v", second.Name, gap, first.Name, g.Params.TTL)
}

// With the quorum, workerd may be gone for longer than the TTL.
func TestQuorum(t *testing.T) {
	params := times("fsn", "hel")
	lab := resolvers.Start(t, params.Members)
	srv := durableobject.Start(t, durableobject.Options{})
	g := newGroup(t, srv, params, lab.Quorum(2*time.Second))
	first := daemon.Holder(t, g.Regions...)
	daemon.Await(t, "each reaches the other through the resolvers", func() bool {
		for _, r := range g.Regions {
			s, err := r.Status(t.Context())
			if err != nil || len(s.Peers) != 1 || s.Peers[0].Quorum == nil || !s.Peers[0].Quorum.Reached {
				return false
			}
		}
		return true
	})
	before, had := daemon.Transitions(t, g.Regions...), first.Authority(t)
	if err := srv.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	end := bootclock.Clock{}.Now().Add(2 * params.TTL)
	daemon.Await(t, "workerd is gone for twice the TTL", func() bool {
		if s, err := first.Status(t.Context()); err == nil && (s.State != lease.Active || s.Witness.Up && bootclock.Clock{}.Now() > end) {
			t.Fatalf("%s is %s, the witness up: %v", first.Name, s.State, s.Witness.Up)
		}
		return bootclock.Clock{}.Now() > end
	})
	if has := first.Authority(t); has.Epoch != had.Epoch || has.Deadline < end {
		t.Errorf("%s has authority for epoch %d until %v, want for %d, and beyond %v", first.Name, has.Epoch, has.Deadline, had.Epoch, end)
	}
	srv.Restart()
	daemon.Await(t, "the witness is up again", func() bool {
		s, err := first.Status(t.Context())
		return err == nil && s.Witness.Up
	})
	if n := daemon.Transitions(t, g.Regions...); n != before {
		t.Errorf("%d transitions, want none since there were %d", n, before)
	}
}
