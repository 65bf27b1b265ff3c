package daemon_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// TestFenceIfDue kills the agent of the active region, and has it never come back: what the unit runs after each start that
// fails, `failoverd fence --if-due`, leaves the layer alone while an agent could go on, and then fences, before another region
// is active.
func TestFenceIfDue(t *testing.T) {
	params := daemon.DefaultTimes("fsn", "hel")
	params.TTL, params.RenewInterval, params.RetryInterval, params.PollInterval = 15*time.Second, 2*time.Second, 300*time.Millisecond, 300*time.Millisecond
	params.RequestTimeout, params.FenceTimeout = 2*time.Second, 3*time.Second
	group := daemon.NewGroup(t, daemon.Build(t, true), params, nil)
	fsn, hel := group.Regions[0], group.Regions[1]
	fsn.Start(t)
	hel.Start(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	serves := func(of ...*daemon.Region) *daemon.Region {
		t.Helper()
		for ctx.Err() == nil {
			for _, r := range of {
				if s, err := r.Status(ctx); err == nil && s.State == lease.Active && s.AllLayers("active") {
					return r
				}
			}
			pause(ctx)
		}
		t.Fatalf("none of %d regions is active", len(of))
		return nil
	}
	active, standby := serves(fsn, hel), hel
	if active == hel {
		standby = fsn
	}
	if err := active.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	saved, err := active.Saved()
	if err != nil {
		t.Fatal(err)
	}
	due := saved.Deadline.Add(-params.FenceTimeout - 3*time.Second)
	early := 0
	for {
		code, out, err := active.CLI(ctx, "fence", "--if-due")
		if err != nil || code != 0 {
			t.Fatalf("fence --if-due: exit code %d, %v: %s", code, err, out)
		}
		if !strings.Contains(out, "nothing to do") {
			break
		}
		early++
		pause(ctx)
	}
	runs, err := active.HookRuns()
	if err != nil {
		t.Fatal(err)
	}
	last := runs[len(runs)-1]
	if last.Action != "fence" || last.Phase != "end" || last.Epoch != 0 || last.At < due {
		t.Errorf("the last run of the hook is %+v; want a fence without an epoch, as that on disk may be one that was pledged to, not before %d", last, due)
	}
	serves(standby)
	others, err := standby.HookRuns()
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range others {
		if h.Action == "activate" && h.At < last.At {
			t.Errorf("the other region activates at %d, before the fence at %d", h.At, last.At)
		}
	}
	t.Logf("nothing to do %d times; then fenced %.2f s before the deadline", early, saved.Deadline.Sub(last.At).Seconds())
}

// pause is what systemd waits between two starts, less.
func pause(ctx context.Context) {
	select {
	case <-time.After(200 * time.Millisecond):
	case <-ctx.Done():
	}
}
