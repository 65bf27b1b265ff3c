package instances

import (
	"context"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// TestFenceIfDue has an instance that can't be started again leave the layers to the one that acts in its place, and fence where
// that has ended too.
func TestFenceIfDue(t *testing.T) {
	params, term := shortTimes()
	w := newWorld(t, daemon.Build(t, !*plain), params, term)
	w.instances = w.instances[:2]
	w.start()
	acts, _ := w.acting("the start")
	must(t, acts.Process().Kill())
	heir := w.heir(acts, "killed")
	said := ""
	fence := func(of *daemon.Region, until ...string) {
		t.Helper()
		w.await("fence --if-due says one of "+strings.Join(until, ", "), func(ctx context.Context) bool {
			code, out, err := of.CLI(ctx, "fence", "--if-due")
			if err != nil || code != 0 {
				t.Fatalf("exit code %d, %v: %s", code, err, out)
			}
			said = out
			for _, u := range until {
				if strings.Contains(out, u) {
					return true
				}
			}
			return false
		}, func() string { return "it says " + said })
	}
	begun := now()
	fence(acts, "acts for the region", "is inactive")
	if runs := fences(t, w.instances, begun, now()); !strings.Contains(said, "acts for the region") || len(runs) > 0 {
		t.Errorf("while another instance acts it says %q, and hooks fenced: %v; want that it leaves the layers to that one", said, runs)
	}
	must(t, heir.Process().Kill())
	begun = now()
	fence(heir, "every layer is inactive")
	until := w.fsn.All()[len(w.fsn.All())-1].Arrived.Add(w.fsn.ttl)
	if runs := fences(t, w.instances, begun, until); len(runs) != 2 { // begun, and done
		t.Errorf("when the last instance can't be started either, hooks fenced before the end of authority: %v; want once", runs)
	}
}
