// Package footprint measures what an agent costs that has nothing to do: as users build it, with the default times, on
// Cloudflare's own KV code.
package footprint

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

var idleFlag = flag.Duration("idle", 15*time.Second, "TestIdle: for how `long` to measure")

// maxRSS is far above what an agent needs, and far below what a leak or a careless import would take.
const maxRSS = 64 << 20

// ticksPerSecond is USER_HZ, which is 100 on every architecture that Go runs on.
const ticksPerSecond = 100

// TestIdle logs the memory and the processor time of one agent for each region, and fails if memory is out of all
// proportion, or if one ends.
func TestIdle(t *testing.T) {
	group := daemon.NewGroup(t, daemon.Build(t, false), lease.Params{
		Members: []lease.Region{"fsn", "hel"},
		TTL:     30 * time.Second, RenewInterval: 10 * time.Second, RetryInterval: 2 * time.Second, PollInterval: 2 * time.Second,
		RequestTimeout: 5 * time.Second, FenceTimeout: 10 * time.Second, MaxClockDrift: 0.002, Staleness: time.Minute,
	}, nil)
	before := map[lease.Region]time.Duration{}
	for _, r := range group.Regions {
		r.Start(t)
		before[r.Name] = cpu(t, r.Process().PID())
	}
	begun := time.Now()
	peak := map[lease.Region]int64{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for time.Since(begun) < *idleFlag {
		<-tick.C
		for _, r := range group.Regions {
			peak[r.Name] = max(peak[r.Name], rss(t, r.Process().PID()))
		}
	}
	for _, r := range group.Regions {
		used, took := cpu(t, r.Process().PID())-before[r.Name], time.Since(begun)
		status, err := r.Status(t.Context())
		if err != nil {
			t.Errorf("%s: %v", r.Name, err)
		}
		t.Logf("%s (%s): RSS %.1f MiB now, %.1f MiB at most; %v of processor time in %v: %.3f%% of one core",
			r.Name, status.State, mib(rss(t, r.Process().PID())), mib(peak[r.Name]), used, took.Round(time.Second), 100*used.Seconds()/took.Seconds())
		if peak[r.Name] > maxRSS {
			t.Errorf("%s takes %.1f MiB, want at most %.1f", r.Name, mib(peak[r.Name]), mib(maxRSS))
		}
	}
}

func mib(n int64) float64 { return float64(n) / (1 << 20) }

// fields are those of /proc/PID/stat from the state on, which is the third of proc(5).
func fields(t *testing.T, pid int) [][]byte {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatalf("the agent has ended: %v", err)
	}
	return bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
}

func number(t *testing.T, field []byte) int64 {
	t.Helper()
	n, err := strconv.ParseInt(string(field), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// cpu is the processor time that a process has used: utime and stime, the 14th and 15th field.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	f := fields(t, pid)
	return time.Duration(number(t, f[14-3])+number(t, f[15-3])) * time.Second / ticksPerSecond
}

// rss is the memory of a process that is resident, in bytes: the 24th field, in pages.
func rss(t *testing.T, pid int) int64 {
	t.Helper()
	return number(t, fields(t, pid)[24-3]) * int64(os.Getpagesize())
}
