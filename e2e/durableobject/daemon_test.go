package durableobject_test

import (
	"context"
	"os"
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
	g := daemon.NewGroupOn(t, daemon.Build(t, true), params, quorum, srv.Witness)
	for _, r := range g.Regions {
		if err := os.WriteFile(r.Path("token"), []byte(durableobject.Token+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		r.Start(t)
	}
	return g
}

// await waits until holds does.
func await(t *testing.T, what string, holds func(ctx context.Context) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !holds(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("%s: that has not come", what)
		}
	}
}

func isActive(ctx context.Context, r *daemon.Region) bool {
	s, err := r.Status(ctx)
	return err == nil && s.State == lease.Active && s.AllLayers("active")
}

// holder waits until one of the regions is active, and all know of one another.
func holder(t *testing.T, regions ...*daemon.Region) (active *daemon.Region) {
	t.Helper()
	await(t, "one is active", func(ctx context.Context) bool {
		for _, r := range regions {
			if isActive(ctx, r) {
				active = r
				return true
			}
		}
		return false
	})
	return active
}

// saved is the authority that a region has on disk.
func saved(t *testing.T, r *daemon.Region) lease.Authority {
	t.Helper()
	a, err := r.Saved()
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// transitions are how many a region has been through.
func transitions(t *testing.T, regions []*daemon.Region) (n int) {
	t.Helper()
	for _, r := range regions {
		h, err := r.History()
		if err != nil {
			t.Fatal(err)
		}
		n += len(h)
	}
	return n
}

// Workerd is killed and comes back within the TTL: nobody loses or takes anything. Then the holder is killed: another one
// takes, not before the authority of the first has ended.
func TestDaemons(t *testing.T) {
	srv := durableobject.Start(t, durableobject.Options{})
	g := newGroup(t, srv, times("fsn", "hel", "nbg"), nil)
	first := holder(t, g.Regions...)
	await(t, "the others are standby", func(ctx context.Context) bool {
		n := 0
		for _, r := range g.Regions {
			if s, err := r.Status(ctx); err == nil && s.State == lease.Standby {
				n++
			}
		}
		return n == 2
	})
	before, had := transitions(t, g.Regions), saved(t, first)
	for range 3 {
		if err := srv.Process().Kill(); err != nil {
			t.Fatal(err)
		}
		await(t, "the holder has missed a renewal", func(ctx context.Context) bool {
			s, err := first.Status(ctx)
			return err == nil && !s.Witness.Up
		})
		srv.Restart()
		at := bootclock.Clock{}.Now()
		await(t, "the holder has renewed since workerd runs again", func(context.Context) bool {
			return saved(t, first).Deadline > at.Add(g.Params.TTL)
		})
	}
	if n, has := transitions(t, g.Regions), saved(t, first); n != before || has.Epoch != had.Epoch {
		t.Errorf("%d transitions, epoch %d, want none since there were %d, and epoch %d: the witness was back within the TTL", n, has.Epoch, before, had.Epoch)
	}

	if err := first.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	had = saved(t, first)
	var others []*daemon.Region
	for _, r := range g.Regions {
		if r != first {
			others = append(others, r)
		}
	}
	second := holder(t, others...)
	runs, err := second.HookRuns()
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range runs {
		if run.Action != "activate" {
			continue
		}
		if run.Epoch <= had.Epoch || run.At < had.Deadline {
			t.Errorf("%s was activated for epoch %d, %v before the authority of %s for epoch %d ended", second.Name, run.Epoch, had.Deadline.Sub(run.At), first.Name, had.Epoch)
		}
		t.Logf("%s took %v after the last renewal of %s, whose TTL is %v", second.Name, run.At.Sub(had.Deadline.Add(-g.Params.TTL)).Round(time.Millisecond), first.Name, g.Params.TTL)
		break
	}
}

// With the quorum, workerd may be gone for longer than the TTL.
func TestQuorum(t *testing.T) {
	params := times("fsn", "hel")
	lab := resolvers.Start(t, params.Members)
	q := &daemon.Quorum{Zone: resolvers.Zone, Listen: map[lease.Region]string{}, Resolvers: map[lease.Region][]string{}, Timeout: 2 * time.Second}
	for _, m := range params.Members {
		q.Listen[m] = lab.Region(m)
		for _, r := range lab.Resolvers {
			q.Resolvers[m] = append(q.Resolvers[m], r.Address)
		}
	}
	srv := durableobject.Start(t, durableobject.Options{})
	g := newGroup(t, srv, params, q)
	first := holder(t, g.Regions...)
	await(t, "each reaches the other through the resolvers", func(ctx context.Context) bool {
		for _, r := range g.Regions {
			s, err := r.Status(ctx)
			if err != nil || len(s.Peers) != 1 || s.Peers[0].Quorum == nil || !s.Peers[0].Quorum.Reached {
				return false
			}
		}
		return true
	})
	before, had := transitions(t, g.Regions), saved(t, first)
	if err := srv.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	end := bootclock.Clock{}.Now().Add(2 * params.TTL)
	await(t, "workerd is gone for twice the TTL", func(ctx context.Context) bool {
		if s, err := first.Status(ctx); err == nil && (s.State != lease.Active || s.Witness.Up && bootclock.Clock{}.Now() > end) {
			t.Fatalf("%s is %s, the witness up: %v", first.Name, s.State, s.Witness.Up)
		}
		return bootclock.Clock{}.Now() > end
	})
	if has := saved(t, first); has.Epoch != had.Epoch || has.Deadline < end {
		t.Errorf("%s has authority for epoch %d until %v, want for %d, and beyond %v", first.Name, has.Epoch, has.Deadline, had.Epoch, end)
	}
	srv.Restart()
	await(t, "the witness is up again", func(ctx context.Context) bool {
		s, err := first.Status(ctx)
		return err == nil && s.Witness.Up
	})
	if n := transitions(t, g.Regions); n != before {
		t.Errorf("%d transitions, want none since there were %d", n, before)
	}
}
