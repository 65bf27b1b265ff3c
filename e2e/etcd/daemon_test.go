package etcd_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/etcd"
	"github.com/openova-io/failoverd/lease"
)

// times are those of a store that is never stale. They are short, and still far above what a busy machine delays.
func times() lease.Params {
	p := daemon.DefaultTimes("fsn", "hel", "nbg")
	p.TTL, p.RenewInterval, p.RetryInterval, p.PollInterval = 15*time.Second, 3*time.Second, time.Second, time.Second
	p.RequestTimeout, p.FenceTimeout = 3*time.Second, 5*time.Second
	return p
}

// Each member is killed in turn: nobody loses or takes anything. Then the holder is killed: another one takes, not before
// the authority of the first has ended.
func TestDaemons(t *testing.T) {
	cluster := etcd.Start(t, 3)
	endpoints, err := json.Marshal(cluster.Endpoints(0))
	if err != nil {
		t.Fatal(err)
	}
	g := daemon.NewGroupOn(t, daemon.Build(t, true), times(), nil, func(*daemon.Region) string {
		return fmt.Sprintf("{type: etcd, staleness: 0s, etcd: {endpoints: %s}}", endpoints)
	})
	for _, r := range g.Regions {
		r.Start(t)
	}
	first := daemon.Holder(t, g.Regions...)
	for _, r := range g.Regions {
		if r != first {
			r.Await(t, "is standby", func(s daemon.Status) bool { return s.State == lease.Standby })
		}
	}
	if _, said, err := first.CLI(t.Context(), "check", "--live"); err != nil || !strings.Contains(said, "each of 5 writes was there at 3 of 3 members") {
		t.Errorf("check --live: %v, want that it asked all members:\n%s", err, said)
	}
	before, had := daemon.Transitions(t, g.Regions...), first.Authority(t)
	for i, m := range cluster.Members {
		if err := m.Kill(); err != nil {
			t.Fatal(err)
		}
		at := bootclock.Clock{}.Now()
		daemon.Await(t, "the holder has renewed, and the others see it", func() bool {
			if first.Authority(t).Deadline <= at.Add(g.Params.TTL) {
				return false
			}
			for _, r := range g.Regions {
				if s, err := r.Status(t.Context()); err != nil || !s.Witness.Up {
					return false
				}
			}
			return true
		})
		cluster.Start(t, i)
		cluster.Await(t, i)
	}
	if n, has := daemon.Transitions(t, g.Regions...), first.Authority(t); n != before || has.Epoch != had.Epoch {
		t.Errorf("%d transitions, epoch %d, want none since there were %d, and epoch %d: a majority of the members ran", n, has.Epoch, before, had.Epoch)
	}

	second, gap := g.Failover(t, first)
	t.Logf("%s took %v after the last renewal of %s; the bound is %v", second.Name, gap, first.Name, g.Params.LongestGapFresh(g.Params.RequestTimeout))
}
