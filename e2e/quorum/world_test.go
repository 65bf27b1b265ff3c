package quorum_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/chaos"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

func params() lease.Params { return daemon.ShortTimes("fsn", "hel", "nbg") }

// now reads the clock that everything here is told by.
func now() lease.Instant { return bootclock.Clock{}.Now() }

// A world is a group that runs, its DNS, and what was seen of it.
type world struct {
	t       *testing.T
	params  lease.Params
	regions []*region
}

// A region is a daemon, with its ways to the outside.
type region struct {
	*daemon.Region
	ways []*resolvers.Meddler // to each resolver
	door *resolvers.Meddler   // from the resolvers; nil without a quorum

	hooks       []daemon.HookRun
	transitions []chaos.Transition
	faults      []chaos.Fault
}

// newWorld makes a group with a quorum, and starts every region.
func newWorld(t *testing.T, binaries daemon.Binaries, params lease.Params) *world {
	t.Helper()
	w := makeWorld(t, binaries, params)
	w.start()
	return w
}

// makeWorld makes a group with a quorum.
func makeWorld(t *testing.T, binaries daemon.Binaries, params lease.Params) *world {
	t.Helper()
	lab := resolvers.Start(t, params.Members)
	quorum := &daemon.Quorum{
		Zone: resolvers.Zone, Listen: map[lease.Region]string{}, Resolvers: map[lease.Region][]string{}, Timeout: params.RequestTimeout * 3 / 4,
	}
	w := &world{t: t, params: params}
	for _, m := range params.Members {
		r := &region{}
		quorum.Listen[m] = lab.Address()
		r.door = lab.NewMeddler(t, lab.Region(m), quorum.Listen[m])
		for _, resolver := range lab.Resolvers {
			way := lab.NewMeddler(t, lab.Address(), resolver.Address)
			r.ways = append(r.ways, way)
			quorum.Resolvers[m] = append(quorum.Resolvers[m], way.Address)
		}
		w.regions = append(w.regions, r)
	}
	group := daemon.NewGroup(t, binaries, params, quorum)
	for i, r := range group.Regions {
		w.regions[i].Region = r
	}
	return w
}

func (w *world) start() {
	for _, r := range w.regions {
		r.Start(w.t)
	}
}

// await waits until a condition holds.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	daemon.Await(w.t, what, holds, func() string {
		var state []string
		for _, r := range w.regions {
			s, err := r.Status(w.t.Context())
			b, _ := json.Marshal(s)
			state = append(state, fmt.Sprintf("%s: %s %v", r.Name, b, err))
		}
		return strings.Join(state, "\n")
	})
}

// status asks the region's agent. ok is false if it does not answer.
func (w *world) status(r *region) (s daemon.Status, ok bool) {
	s, err := r.Status(w.t.Context())
	return s, err == nil
}

// settle waits until the group is whole: one region is active, the others are standbys, and all know one another, by the
// witness and by the quorum.
func (w *world) settle() (holder *region, standbys []*region) {
	w.t.Helper()
	w.await("one active region, and standbys that all reach one another", func() bool {
		holder, standbys = nil, nil
		for _, r := range w.regions {
			s, ok := w.status(r)
			for _, p := range s.Peers {
				ok = ok && p.Known && (p.Quorum == nil || p.Quorum.Reached)
			}
			switch {
			case !ok || !s.Witness.Up:
			case s.State == lease.Active && s.AllLayers("active") && holder == nil:
				holder = r
			case s.State == lease.Standby && s.AllLayers("inactive"):
				standbys = append(standbys, r)
			}
		}
		return holder != nil && len(standbys) == len(w.regions)-1
	})
	w.collect()
	return holder, standbys
}

// holds follows an active region for some time, and returns by how much the deadline on its disk was ahead at the least. In
// all that time the region must be active in one epoch, and nothing may change in any region.
func (w *world) holds(holder *region, d time.Duration) (margin time.Duration) {
	w.t.Helper()
	w.collect()
	before := w.changes()
	epoch, margin := holder.transitions[len(holder.transitions)-1].Epoch, w.params.TTL
	w.pass(d, func() {
		at := now() // before the reading: what is read is no older
		saved, err := holder.Saved()
		if err != nil {
			w.t.Fatal(err)
		}
		margin = min(margin, saved.Deadline.Sub(at))
		if s, ok := w.status(holder); ok && (s.State != lease.Active || !s.Authority || s.Epoch != epoch) {
			w.t.Fatalf("%s is %s (%s) with epoch %d, authority %v; want it active with epoch %d", holder.Name, s.State, s.Reason.Code, s.Epoch, s.Authority, epoch)
		}
	})
	w.collect()
	if got := w.changes(); got != before {
		w.t.Fatalf("something changed in %v: transitions and hooks were %s, and are %s", d, before, got)
	}
	if margin <= 0 {
		w.t.Errorf("the authority of %s on disk had run out %v before, while it was active", holder.Name, -margin)
	}
	return margin
}

// pass lets time pass, and looks again and again.
func (w *world) pass(d time.Duration, look func()) {
	w.t.Helper()
	tick := time.NewTicker(daemon.LookAgain)
	defer tick.Stop()
	for end := now().Add(d); now() < end; {
		look()
		<-tick.C
	}
}

// changes tells how many transitions and hooks there have been, by region, to be compared.
func (w *world) changes() string {
	var n [][2]int
	for _, r := range w.regions {
		n = append(n, [2]int{len(r.transitions), len(r.hooks)})
	}
	return fmt.Sprint(n)
}

// nobodyTakes follows the group for some time, in which no region may become active nor any hook run.
func (w *world) nobodyTakes(d time.Duration) {
	w.t.Helper()
	w.collect()
	before := w.changes()
	w.pass(d, func() {})
	w.collect()
	if got := w.changes(); got != before {
		w.t.Fatalf("something changed in %v: transitions and hooks were %s, and are %s", d, before, got)
	}
}

// collect takes over what the regions have written down since it was last called. Wall clocks may be set, so it is to be
// called often enough that this does not matter.
func (w *world) collect() {
	w.t.Helper()
	for _, r := range w.regions {
		var err error
		if r.hooks, err = r.HookRuns(); err != nil {
			w.t.Fatalf("%s: %v", r.Name, err)
		}
		history, err := r.History()
		if err != nil {
			w.t.Fatalf("%s: read history: %v", r.Name, err)
		}
		at, wall := now(), time.Now()
		for _, e := range history[len(r.transitions):] {
			r.transitions = append(r.transitions, chaos.Transition{At: at.Add(e.Time.Sub(wall)), From: e.From, To: e.To, Epoch: e.Epoch, Reason: e.Reason})
		}
	}
}

// became is the region's first transition to a state after an instant; ok is false if there is none yet.
func (w *world) became(r *region, to lease.StateName, after lease.Instant) (t chaos.Transition, ok bool) {
	w.t.Helper()
	w.collect()
	for _, t := range r.transitions {
		if t.To == to && t.At > after {
			return t, true
		}
	}
	return t, false
}

// hook is the region's first run of an action's hook after an instant, in a phase of it; ok is false if there is none yet.
func (w *world) hook(r *region, action, phase string, after lease.Instant) (h daemon.HookRun, ok bool) {
	w.t.Helper()
	w.collect()
	i := slices.IndexFunc(r.hooks, func(h daemon.HookRun) bool { return h.Action == action && h.Phase == phase && h.At > after })
	if i < 0 {
		return h, false
	}
	return r.hooks[i], true
}

// overlaps are the times for which the layers of two regions were active at once, but for those of a region that was
// killed.
func (w *world) overlaps() []string {
	w.t.Helper()
	w.collect()
	var records []chaos.Record
	for _, r := range w.regions {
		records = append(records, chaos.Record{Region: r.Name, Hooks: r.hooks, Faults: r.faults})
	}
	return chaos.Check(records, w.params.TTL).Layers
}

// noOverlap is how a test ends.
func (w *world) noOverlap() {
	w.t.Helper()
	for _, o := range w.overlaps() {
		w.t.Error(o)
	}
}

// everyWitness does something to every region's way to the witness.
func (w *world) everyWitness(do func(*kvserver.Link)) {
	for _, r := range w.regions {
		do(r.Link)
	}
}

// meddle has a resolver be what it is told to be, for every region.
func (w *world) meddle(resolver int, does resolvers.Meddling) {
	for _, r := range w.regions {
		r.ways[resolver].Set(does)
	}
}

// cutOff cuts a region's ways to all resolvers, and theirs to it.
func (r *region) cutOff(does resolvers.Meddling) {
	for _, way := range r.ways {
		way.Set(does)
	}
	r.door.Set(does)
}

// kill kills a region's daemon, which is not started again.
func (w *world) kill(r *region) {
	w.t.Helper()
	r.faults = append(r.faults, chaos.Fault{Kind: chaos.Killed, From: now(), To: lease.Never})
	if err := r.Process().Kill(); err != nil {
		w.t.Fatal(err)
	}
}

// cli runs a command of the daemon's binary.
func (w *world) cli(r *region, args ...string) (code int, output string) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	code, output, err := r.CLI(ctx, args...)
	if err != nil {
		w.t.Fatalf("%s: failoverd %q: %v", r.Name, args, err)
	}
	return code, output
}

// explain is what `failoverd explain` says.
func (w *world) explain(r *region) string {
	w.t.Helper()
	_, output := w.cli(r, "explain", "--address", r.Address())
	return output
}
