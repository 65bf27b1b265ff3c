package regions

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

var (
	rounds = flag.Int("rounds", 6, "TestRegions: how `many`; one of each kind, and so on")
	seed   = flag.Uint64("seed", 1, "TestRegions: draws the moments")
)

// A fate is what becomes of the active agent.
type fate string

const (
	supervised fate = "killed, restarted at once"                // as systemd does: it goes on where it was
	late       fate = "killed, restarted as its authority ended" // it fences before anything else
	dead       fate = "killed, restarted when the other is active"
	frozen     fate = "frozen, thawed when the other is active"
	stopped    fate = "asked to stop, started when the other is active"
	handedOver fate = "asked to hand over"
)

var fates = []fate{supervised, late, dead, frozen, stopped, handedOver}

// A round is one failover, or none where nothing is to fail over.
type round struct {
	fate     fate
	from, to lease.Region
	gap      time.Duration // from the last instant at which all of the old region was active to the first at which all of the new one was
	fenced   time.Duration // from the old agent's start, or thaw, to all of its region fenced
	serve    int           // samples in which both regions serve
	writable int           // ... in which databases of both take writes, and for how long on end
	longest  time.Duration
	samples  int
}

// TestRegions fails over between two regions again and again, and looks every 50 ms what their objects say.
//
// An agent that is dead or frozen fences nothing: until it comes back, its region's databases take writes from whoever still
// reaches them there. No client does through a balancer that obeys the dead-man gate. Both is counted; while an agent lives on
// each side, neither may be.
func TestRegions(t *testing.T) {
	w := newWorld(t)
	w.watch()
	random := rand.New(rand.NewPCG(*seed, 0))
	var all []round
	for i := range *rounds {
		from, to := w.settled()
		<-time.After(time.Duration(random.IntN(1000)) * time.Millisecond) // anywhere between renewals
		begun := now()
		r := round{fate: fates[i%len(fates)], from: from.Name, to: to.Name}
		w.meet(&r, from, to, random)
		samples := w.since(begun)
		r.samples = len(samples)
		r.serve, _ = count(samples, bothServe)
		r.writable, r.longest = count(samples, bothWritable)
		if r.fate != supervised {
			r.gap = w.gap(samples, from, to)
		}
		all = append(all, r)
		t.Logf("round %d: %s", i+1, r)
		if r.serve > 0 {
			t.Errorf("round %d: in %d samples both regions serve", i+1, r.serve)
		}
		unplanned := slices.Contains([]fate{late, dead, frozen}, r.fate)
		if !unplanned && r.writable > 0 {
			t.Errorf("round %d: in %d samples databases of both regions take writes", i+1, r.writable)
		}
		if unplanned {
			w.rebuild(from, to)
		}
	}
	t.Log("\n" + table(all))
}

// rebuild clones the databases of a former primary that have parted from the present one's, as a person has to.
func (w *world) rebuild(former, present *region) {
	for _, name := range databases {
		if former.database.Diverged(name, present.database) {
			w.t.Logf("%s/%s has written what %s has not: rebuilt", former.Name, name, present.Name)
			former.database.Rebuild(name, present.database)
		}
	}
}

// settled waits until one region is active and the other one fenced, all of it.
func (w *world) settled() (active, standby *region) {
	w.t.Helper()
	w.await("one region is active, and the other one fenced", func() bool {
		all := w.since(0)
		if len(all) == 0 {
			return false
		}
		last := all[len(all)-1]
		for i, v := range last.views {
			if other := 1 - i; v.active() && last.views[other].fenced() {
				active, standby = w.regions[i], w.regions[other]
				s, err := standby.Status(w.t.Context())
				return err == nil && s.State == lease.Standby
			}
		}
		return false
	})
	return active, standby
}

// is waits until all of a region is so.
func (w *world) is(what string, r *region, is func(view) bool) lease.Instant {
	w.t.Helper()
	i := slices.Index(w.regions, r)
	var at lease.Instant
	from := now()
	w.await(fmt.Sprintf("%s is %s", r.Name, what), func() bool {
		for _, s := range w.since(from) {
			if is(s.views[i]) {
				at = s.at
				return true
			}
		}
		return false
	})
	return at
}

// meet has the active agent meet its fate, and waits until that is over.
func (w *world) meet(r *round, from, to *region, random *rand.Rand) {
	t := w.t
	t.Helper()
	kill := func() {
		if err := syscall.Kill(from.Process().PID(), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if _, err := from.Process().Wait(ctx); err != nil {
			t.Fatal(err)
		}
	}
	start := func() {
		begun := now()
		from.start(t)
		r.fenced = w.is("fenced", from, view.fenced).Sub(begun)
	}
	switch r.fate {
	case supervised:
		epoch := w.epoch(from)
		kill()
		<-time.After(time.Duration(random.IntN(3000)) * time.Millisecond) // its authority lasts longer
		from.start(t)
		w.await("it goes on", func() bool {
			s, err := from.Status(t.Context())
			return err == nil && s.State == lease.Active && s.Epoch == epoch
		})
		w.is("active", from, view.active)
		return
	case late:
		kill()
		saved, err := from.Saved()
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(saved.Deadline.Sub(now()))
		start()
	case dead:
		kill()
		w.is("active", to, view.active)
		start()
	case frozen:
		if err := from.Process().Freeze(t.Context()); err != nil {
			t.Fatal(err)
		}
		w.is("active", to, view.active)
		begun := now()
		if err := from.Process().Thaw(); err != nil {
			t.Fatal(err)
		}
		r.fenced = w.is("fenced", from, view.fenced).Sub(begun)
	case stopped:
		if err := from.Process().Terminate(); err != nil {
			t.Fatal(err)
		}
		w.is("active", to, view.active)
		start()
	case handedOver:
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		if code, output, err := from.CLI(ctx, "switchover", "--to", string(to.Name), "--reason", "a test"); err != nil || code != 0 {
			t.Fatalf("switchover: exit code %d, %v: %s", code, err, output)
		}
	}
	w.is("active", to, view.active)
}

func (w *world) epoch(r *region) uint64 {
	s, err := r.Status(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return s.Epoch
}

// gap is from the last instant at which a client was served, and could write, in the old region, to the first at which it was
// in the new one.
func (w *world) gap(samples []sample, from, to *region) time.Duration {
	f, t := slices.Index(w.regions, from), slices.Index(w.regions, to)
	var last, first lease.Instant
	for _, s := range samples {
		if s.views[f].active() && first == 0 {
			last = s.at
		}
		if s.views[t].active() && first == 0 {
			first = s.at
		}
	}
	return first.Sub(last)
}

func (r round) String() string {
	return fmt.Sprintf("%s, %s to %s: gap %.2f s, fenced %.2f s after it was there again; of %d samples both serve in %d, both take writes in %d (%.2f s on end)",
		r.fate, r.from, r.to, r.gap.Seconds(), r.fenced.Seconds(), r.samples, r.serve, r.writable, r.longest.Seconds())
}

// table sums up the rounds of each fate.
func table(all []round) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%-48s %6s %8s %8s %8s %8s %11s %14s %8s\n", "the active agent is", "rounds", "gap p50", "gap max", "fenced", "samples", "both serve", "both writable", "on end")
	for _, f := range fates {
		var gaps []time.Duration
		var sum round
		for _, r := range all {
			if r.fate != f {
				continue
			}
			gaps = append(gaps, r.gap)
			sum.samples, sum.serve, sum.writable = sum.samples+r.samples, sum.serve+r.serve, sum.writable+r.writable
			sum.longest, sum.fenced = max(sum.longest, r.longest), max(sum.fenced, r.fenced)
		}
		if len(gaps) == 0 {
			continue
		}
		slices.Sort(gaps)
		fmt.Fprintf(&out, "%-48s %6d %7.2fs %7.2fs %7.2fs %8d %11d %14d %7.2fs\n", f, len(gaps), gaps[len(gaps)/2].Seconds(), gaps[len(gaps)-1].Seconds(),
			sum.fenced.Seconds(), sum.samples, sum.serve, sum.writable, sum.longest.Seconds())
	}
	return out.String()
}
