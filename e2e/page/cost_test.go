package page_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// testCost has 50 open pages cost the lease nothing: it takes as many steps from one renewal to the next, and each renewal is
// acknowledged.
func testCost(t *testing.T, binaries daemon.Binaries) {
	group := daemon.NewGroup(t, binaries, times("fsn", "hel"), nil)
	fsn, hel := group.Regions[0], group.Regions[1]
	renewals := &daemon.Renewals{}
	fsn.Link.Watch(renewals.Watch)
	fsn.Start(t)
	hel.Start(t)
	await(t, "the region is active", func(ctx context.Context) bool {
		s, err := fsn.Status(ctx)
		return err == nil && s.State == lease.Active && s.AllLayers("active")
	})

	const long, pages = 15, 50
	measure := func() (from, to time.Time, cpu float64, failed int) {
		next := func(n int) time.Time {
			await(t, fmt.Sprintf("renewal %d", n), func(context.Context) bool { return len(renewals.All()) >= n })
			return time.Now()
		}
		n := len(renewals.All())
		from = next(n + 1)
		used, lost := processor(t, fsn.Process().PID()), failures(t, fsn)
		to = next(n + 1 + long)
		return from, to, processor(t, fsn.Process().PID()) - used, failures(t, fsn) - lost
	}
	noneFrom, noneTo, noneCPU, noneFailed := measure()

	ctx, cancel := context.WithCancel(t.Context())
	var events atomic.Int64
	var streams sync.WaitGroup
	for range pages {
		resp := open(t, ctx, fsn)
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("GET /events: %s", resp.Status)
		}
		streams.Go(func() {
			defer resp.Body.Close()
			lines := bufio.NewScanner(resp.Body)
			lines.Buffer(nil, 1<<20)
			for lines.Scan() {
				if lines.Text() == "" {
					events.Add(1)
				}
			}
		})
	}
	began := events.Load()
	manyFrom, manyTo, manyCPU, manyFailed := measure()
	got := events.Load() - began
	cancel()
	streams.Wait()

	must(t, fsn.Process().Terminate())
	if _, err := fsn.Process().Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	none, many := steps(t, fsn, group.Params.Keys[fsn.Name], noneFrom, noneTo), steps(t, fsn, group.Params.Keys[fsn.Name], manyFrom, manyTo)
	t.Logf("%d renewals without a page: %d steps, %d failed, %.1f s, %.2f s of a processor", long, none, noneFailed, noneTo.Sub(noneFrom).Seconds(), noneCPU)
	t.Logf("%d renewals with %d pages: %d steps, %d failed, %.1f s, %.2f s of a processor; %d events, %.1f a page and second",
		long, pages, many, manyFailed, manyTo.Sub(manyFrom).Seconds(), manyCPU, got, float64(got)/pages/manyTo.Sub(manyFrom).Seconds())
	if none == 0 || many > none*5/4 || many < none*3/4 {
		t.Errorf("%d renewals take %d steps with %d pages, and %d without", long, many, pages, none)
	}
	if noneFailed+manyFailed > 0 {
		t.Errorf("%d renewals failed without pages, and %d with %d, want none", noneFailed, manyFailed, pages)
	}
	if got < pages*long {
		t.Errorf("%d pages got %d events in %d renewals, want at least one each", pages, got, long)
	}
}

// open opens a stream of a page, until ctx ends.
func open(t *testing.T, ctx context.Context, r *daemon.Region) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+r.Address()+"/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

// failures is how many writes of the own flag were not acknowledged so far, as the agent counts.
func failures(t *testing.T, r *daemon.Region) (n int) {
	t.Helper()
	resp, err := http.Get("http://" + r.Address() + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		var outcome string
		var count int
		if _, err := fmt.Sscanf(lines.Text(), "failoverd_lease_renewals_total{outcome=%q} %d", &outcome, &count); err == nil && outcome != "acked" {
			n += count
		}
	}
	return n
}

// steps is how many the lease took between two times, as the journal has it.
func steps(t *testing.T, r *daemon.Region, key string, from, to time.Time) (n int) {
	t.Helper()
	public, err := base64.StdEncoding.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = audit.Verify(filepath.Join(r.StateDir(), "audit"), []ed25519.PublicKey{public}, func(_ string, e audit.Entry) error {
		if e.Kind == audit.KindStep && e.Time.After(from) && e.Time.Before(to) {
			n++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// processor is how many seconds of one a process has used.
func processor(t *testing.T, pid int) (seconds float64) {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	// Behind the name, which may hold anything, fields 14 and 15 are in hundredths of a second.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, f := range fields[11:13] {
		ticks, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		seconds += float64(ticks) / 100
	}
	return seconds
}
