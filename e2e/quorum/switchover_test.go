package quorum_test

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/chaos"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

var switchoversFlag = flag.Int("switchovers", 10, "TestQuorum/switchover: how `many`")

// switchover hands authority over from region to region, with a hook that takes no time, and measures for how long there is
// none.
func switchover(t *testing.T, binaries daemon.Binaries) {
	w := newWorld(t, binaries, params())
	series := []chaos.Series{
		{Name: "authority gap: given up until taken", Bound: "1 s"},
		{Name: "  and fencing: ordered until taken"},
		{Name: "layer gap: fence hook begins until the other's activate hook has ended"},
		{Name: "steps: order until fencing"},
		{Name: "  until the fence hook has ended"},
		{Name: "  until authority is given up"},
		{Name: "  taken until the activate hook begins"},
		{Name: "  until it has ended"},
	}
	// Held for so long that by the witness every other lease has run out: who hands over then could raise its own flag at once.
	held, _ := w.settle()
	w.holds(held, 2*w.params.TTL)
	for range *switchoversFlag {
		from, standbys := w.settle()
		to := standbys[0]
		if len(series[0].Values)%2 == 1 {
			to = standbys[1]
		}
		ordered := now()
		code, output := w.cli(from, "switchover", "--to", string(to.Name), "--yes", "--reason", "a test")
		if code != 0 || !strings.Contains(output, string(to.Name)+" is active for epoch") {
			t.Fatalf("switchover from %s to %s: exit code %d: %s", from.Name, to.Name, code, output)
		}
		w.await(string(to.Name)+" is active", func() bool { _, ok := w.hook(to, "activate", "end", ordered); return ok })
		fencing, ok1 := w.became(from, lease.Fencing, ordered)
		standby, ok2 := w.became(from, lease.Standby, ordered)
		active, ok3 := w.became(to, lease.Active, ordered)
		begins, ok4 := w.hook(from, "fence", "begin", ordered)
		ends, ok5 := w.hook(from, "fence", "end", ordered)
		activates, ok6 := w.hook(to, "activate", "begin", ordered)
		activated, ok7 := w.hook(to, "activate", "end", ordered)
		if seen := fmt.Sprint(ok1, ok2, ok3, ok4, ok5, ok6, ok7); strings.Contains(seen, "false") {
			t.Fatalf("switchover from %s to %s: not all has happened that should have: %s", from.Name, to.Name, seen)
		}
		if fencing.Reason != lease.ReasonHandedOver || active.Reason != lease.ReasonPledged {
			t.Errorf("%s fenced since %s, and %s took by %s; want %s and %s", from.Name, fencing.Reason, to.Name, active.Reason, lease.ReasonHandedOver, lease.ReasonPledged)
		}
		for i, d := range []time.Duration{
			active.At.Sub(standby.At), active.At.Sub(fencing.At), activated.At.Sub(begins.At),
			fencing.At.Sub(ordered), ends.At.Sub(fencing.At), standby.At.Sub(ends.At),
			activates.At.Sub(active.At), activated.At.Sub(activates.At),
		} {
			series[i].Values = append(series[i].Values, d)
		}
	}
	w.noOverlap()
	t.Logf("%d planned switchovers\n%s", *switchoversFlag, chaos.Table(series))
}
