package storm

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/wallclock"
	"github.com/openova-io/failoverd/lease"
)

var (
	minutes   = flag.Float64("minutes", 5, "TestStorm: for `how long` faults are drawn, at least")
	seed      = flag.Uint64("seed", 1, "TestStorm: the `seed` of the faults")
	instances = flag.Int("instances", 2, "TestStorm: `how many` each region has")
	plain     = flag.Bool("plain", false, "TestStorm: daemons without the race detector")
	clocks    = flag.Bool("clocks", false, "TestStorm: without the race detector, and each with a wall clock that is set: its first build takes minutes")
	without   = flag.String("without", "", "TestStorm: the `rule` of docs/protocol.md that the daemons break, to see that this is found; not with -clocks")
	out       = flag.String("out", "", "TestStorm: a `folder` for what is left of a run, also of one that passes")
)

const (
	stormTime = time.Minute             // of each storm
	between   = 2500 * time.Millisecond // two faults begin, on average
)

// room is for what an instance has more of when it acts than when it follows, and for calls that are under way.
var room = daemon.Weight{Goroutines: 40, Handles: 40, Memory: 16}

// TestStorm has storms pass over the group, one after the other. No time is asserted but by what the machine takes meanwhile: it may be
// busy. The figures are in its log.
func TestStorm(t *testing.T) {
	var flags []string
	switch {
	case *clocks:
		flags = wallclock.Overlay(t)
	case *without != "":
		flags = mutant(t, *without)
	}
	w := newWorld(t, daemon.Build(t, !*plain && !*clocks, flags...), *seed, *instances, *clocks)
	defer w.keep() // also of one that is never whole again
	var settled []time.Duration
	var weights []daemon.Weight
	w.whole()
	for _, s := range w.routes {
		s.start(t) // not before: they led to the application, all three, until the daemons had fenced them
	}
	for storms := 1; ; storms++ {
		for end := now().Add(stormTime); now() < end; w.wait(50 * time.Millisecond) {
			w.mend(false)
			if w.random.Float64() < 0.05/between.Seconds() {
				w.draw()
			}
		}
		w.mend(true)
		took := w.whole()
		settled = append(settled, took)
		w.say("whole again after %.1f s", took.Seconds())
		weights = append(weights, w.spared().Weigh(t))
		f := w.judge()
		t.Logf("storm %d: %d faults so far, whole again after %.1f s; %d findings; longest gap %.1f s", storms, w.total(), took.Seconds(), len(f.Bad()), f.Gap.Seconds())
		if len(f.Bad()) > 0 || now().Sub(w.begun).Minutes() >= *minutes {
			break
		}
	}
	f := w.judge()
	wrong := slices.Concat(f.Bad(), w.forgotten(), daemon.Leaks(weights, room))
	if *without == "" {
		wrong = append(wrong, daemon.Audit(t, w.agents()...)...)
	}
	for _, bad := range wrong {
		t.Error(bad)
	}
	slices.Sort(settled)
	t.Logf("%.1f minutes, seed %d, %d faults:\n%s", now().Sub(w.begun).Minutes(), *seed, w.total(), w.table(f.Gaps))
	t.Logf("overlaps: %d of authority, %d by what the witness acknowledged, %d of open gates, %d of layers and %d of routes while somebody could fence, %d epochs of two regions", len(f.Authority), len(f.Early), len(f.Serving), len(f.Layers), len(f.Routes), len(f.Epochs))
	t.Logf("layers of a region that nobody could fence were active beside another's for %.2f s at the longest; when somebody could for %v", f.Outlived.Longest.Seconds(), f.Outlived.After)
	t.Logf("routes: %.2f s, %v; they changed %d times", f.RoutesOutlived.Longest.Seconds(), f.RoutesOutlived.After, len(w.routesSeen())-len(w.routes))
	t.Logf("somebody served for %.1f %% of the time, the longest gap was %.1f s; turns %v; whole again after %.1f s (median), %.1f s (most)",
		100*f.Held.Seconds()/f.All.Seconds(), f.Gap.Seconds(), f.Regions, settled[len(settled)/2].Seconds(), settled[len(settled)-1].Seconds())
	faults := slices.Concat(slices.Collect(maps.Values(w.past))...)
	t.Logf("nobody served and no fault was under way for %.1f s at the longest; by the bound (docs/protocol.md §6) %.1f s", quiet(f.Gaps, faults).Seconds(), w.params.LongestGapStale(w.params.RequestTimeout).Seconds())
	t.Logf("%v, which lived all the time, after each storm: %v", w.spared(), weights)
}

// judge judges all that was seen.
func (w *world) judge() Findings {
	records := w.records()
	f := Judge(records, w.routesSeen(), w.machine.seen())
	f.Early = Early(records, w.params.TTL)
	return f
}

// total is how many faults there have been.
func (w *world) total() (n int) {
	for _, spans := range w.past {
		n += len(spans)
	}
	return n
}

// keep leaves what is needed to understand a run that failed, and says where.
func (w *world) keep() {
	w.t.Helper()
	dir := *out
	if dir == "" {
		if !w.t.Failed() {
			return
		}
		var err error
		dir, err = os.MkdirTemp("", "storm-")
		must(w.t, err)
	}
	must(w.t, os.MkdirAll(dir, 0o755))
	save := func(name string, content []byte) { must(w.t, os.WriteFile(filepath.Join(dir, name), content, 0o644)) }
	for name, v := range map[string]any{"records.json": w.records(), "routes.json": w.routesSeen(), "machine.json": w.machine.seen(), "findings.json": w.judge()} {
		content, err := json.Marshal(v)
		must(w.t, err)
		save(name, content)
	}
	save("faults.txt", []byte(strings.Join(w.told, "\n")+"\n"))
	for _, i := range w.instances {
		for n, p := range i.Runs() {
			_, log := p.Output()
			save(fmt.Sprintf("%v.%d.log", i, n+1), []byte(log))
		}
	}
	w.t.Logf("what is left is in %s (instants count from %d); the same faults again, though not at the same instants: go test ./storm -run TestStorm -args -seed %d -instances %d -minutes %g", dir, lease.Instant(w.begun), *seed, *instances, *minutes)
}
