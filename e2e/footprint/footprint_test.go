// Package footprint measures what agents cost, as users build them, on Cloudflare's own KV code: one that has nothing to do, with the
// default times, and three that live through faults, which are not to cost ever more.
package footprint

import (
	"flag"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

var idleFlag = flag.Duration("idle", 15*time.Second, "TestIdle: for how `long` to measure")

// maxRSS is far above what an agent needs, and far below what a leak or a careless import would take.
const maxRSS = 64 << 20

// TestIdle logs the memory and the processor time of one agent for each region, and fails if memory is out of all
// proportion, or if one ends.
func TestIdle(t *testing.T) {
	params := daemon.DefaultTimes("fsn", "hel")
	params.Staleness = time.Minute
	group := daemon.NewGroup(t, daemon.Build(t, false, "-trimpath", "-tags", "grpcnotrace", "-ldflags", "-s -w"), params, nil)
	before := map[lease.Region]time.Duration{}
	for _, r := range group.Regions {
		r.Start(t)
		before[r.Name] = r.Process().CPU(t)
	}
	begun := time.Now()
	peak := map[lease.Region]int64{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for time.Since(begun) < *idleFlag {
		<-tick.C
		for _, r := range group.Regions {
			peak[r.Name] = max(peak[r.Name], r.Process().RSS(t))
		}
	}
	for _, r := range group.Regions {
		used, took := r.Process().CPU(t)-before[r.Name], time.Since(begun)
		status := r.Ask(t)
		t.Logf("%s (%s): RSS %.1f MiB now, %.1f MiB at most; %v of processor time in %v: %.3f%% of one core",
			r.Name, status.State, mib(r.Process().RSS(t)), mib(peak[r.Name]), used, took.Round(time.Second), 100*used.Seconds()/took.Seconds())
		if peak[r.Name] > maxRSS {
			t.Errorf("%s takes %.1f MiB, want at most %.1f", r.Name, mib(peak[r.Name]), mib(maxRSS))
		}
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }
