package instances

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// TestUpgrade plays the kubelet of a rolling update, and systemd: in turn it restarts all instances, one after the other, each
// when the one before is ready, and the one that acts alone. The region's authority has no gap, and nothing is fenced.
func TestUpgrade(t *testing.T) {
	var mu sync.Mutex
	done, left := map[string]int{}, map[string]time.Duration{}
	inWorlds(t, func(w *world, acts *daemon.Region) {
		_, epoch := w.acting("the start")
		for n := range *rounds {
			w.anyMoment()
			begun := now()
			what := "rolling update"
			if n%2 == 0 {
				w.roll()
			} else {
				what = "restart of the one that acts"
				w.restart(acts)
			}
			acts, _ = w.acting("after the " + what)
			s, against := w.kept(epoch, begun, now())
			if len(against) > 0 {
				w.t.Fatalf("round %d, %s: %s", n, what, strings.Join(against, "; "))
			}
			w.t.Logf("round %d, %s: %.1f s, %d renewals, the latest of them with %.1f s left", n, what, now().Sub(begun).Seconds(), s.writes, s.least.Seconds())
			mu.Lock()
			if least, ok := left[what]; !ok || s.least < least {
				left[what] = s.least
			}
			done[what]++
			mu.Unlock()
		}
	})
	for what, n := range done {
		t.Logf("%s: authority gap 0 and nothing fenced in %d; %.1f s were left at the latest renewal", what, n, left[what].Seconds())
	}
}

// roll restarts all instances as the update of a DaemonSet does, with maxUnavailable 1 and maxSurge 0.
func (w *world) roll() {
	w.t.Helper()
	for n, i := range w.instances {
		w.restart(i)
		w.await(fmt.Sprintf("instance %d is ready", n+1), func(ctx context.Context) bool { return says(ctx, i, "/readyz") })
	}
}
