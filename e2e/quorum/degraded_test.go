package quorum_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/chaos"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// degradedAfter is how long one probe alone has to find something ill.
const degradedAfter = 3 * time.Second

// degraded has what a probe of the active region looks at be down, as long as that region stays degraded: it hands over. Then it
// goes down and comes back ten times: authority moves no more, though the others are well.
func degraded(t *testing.T, binaries daemon.Binaries) {
	w := makeWorld(t, binaries, params())
	down := make([]atomic.Bool, len(w.regions))
	for i, r := range w.regions {
		server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			if down[i].Load() {
				http.Error(rw, "down", http.StatusServiceUnavailable)
			}
		}))
		t.Cleanup(server.Close)
		r.Configure(t, "", fmt.Sprintf(`health:
  degraded_after: %v
  recovered_after: 10m
  max_handovers: 1
  probes: [{name: gateway, http: %q, interval: 500ms, timeout: 400ms}]
`, degradedAfter, server.URL))
	}
	w.start()
	active, _ := w.settle()
	ill := 0
	for i, r := range w.regions {
		if r == active {
			ill = i
		}
	}
	began := now()
	down[ill].Store(true)
	var to *region
	w.await("another region is active", func() bool {
		for _, r := range w.regions {
			if _, ok := w.hook(r, "activate", "end", began); ok && r != active {
				to = r
			}
		}
		return to != nil
	})
	fencing, ok1 := w.became(active, lease.Fencing, began)
	standby, ok2 := w.became(active, lease.Standby, began)
	taken, ok3 := w.became(to, lease.Active, began)
	fenced, ok4 := w.hook(active, "fence", "end", began)
	activated, ok5 := w.hook(to, "activate", "end", began)
	if !(ok1 && ok2 && ok3 && ok4 && ok5) || fencing.Reason != lease.ReasonDegraded || taken.Reason != lease.ReasonPledged {
		t.Fatalf("%s fenced since %q, and %s took by %q; want %s and %s", active.Name, fencing.Reason, to.Name, taken.Reason, lease.ReasonDegraded, lease.ReasonPledged)
	}
	t.Logf("a region that is degraded hands over\n%s", chaos.Table([]chaos.Series{
		{Name: "from down until fencing; degraded_after is 3 s", Values: []time.Duration{fencing.At.Sub(began)}},
		{Name: "  until fenced", Values: []time.Duration{fenced.At.Sub(fencing.At)}},
		{Name: "  until the other is active", Values: []time.Duration{activated.At.Sub(fenced.At)}},
		{Name: "  authority gap", Values: []time.Duration{taken.At.Sub(standby.At)}},
	}))

	for i := range 20 {
		down[ill].Store(i%2 == 0)
		w.pass(3*time.Second, func() {})
	}
	if s := to.Ask(w.t); s.State != lease.Active || s.Epoch != taken.Epoch {
		t.Errorf("after ten times down and up: %s is %s for epoch %d, want it active for %d all along", to.Name, s.State, s.Epoch, taken.Epoch)
	}
	w.noOverlap()
}
