package regions

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/postgres"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

var (
	rounds = flag.Int("rounds", 3, "TestRegions: how `many`; each fate once before any again")
	seed   = flag.Uint64("seed", 1, "TestRegions: draws the fates and the moments")
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
	blind      fate = "cut off from the witness" // the other one pledges: it goes on
	alone      fate = "cut off from the witness and the other"
)

var fates = []fate{supervised, late, dead, frozen, stopped, handedOver, blind, alone}

// TestRegions fails over between two regions again and again, and looks every 50 ms what their objects say.
//
// An agent that is dead or frozen fences nothing: until it is there again and has fenced, its region's databases take writes from
// whoever still reaches them there, and pods let traffic in. No client does through a balancer that obeys the dead-man gate. Both is
// counted; while an agent lives on each side, none may be, and two regions never hold authority.
func TestRegions(t *testing.T) {
	w := newWorld(t)
	w.watch()
	random := rand.New(rand.NewPCG(*seed, 0))
	var all []round
	var order []int
	for i := range *rounds {
		if len(order) == 0 {
			order = random.Perm(len(fates))
		}
		from, to := w.settled()
		<-time.After(time.Duration(random.IntN(1000)) * time.Millisecond) // anywhere between renewals
		begun := now()
		r := round{fate: fates[order[0]], from: from.Name, to: to.Name}
		order = order[1:]
		w.meet(&r, from, to, random)
		samples := w.since(begun)
		for _, finding := range r.judge(samples) {
			t.Errorf("round %d: %s: %s", i+1, r.fate, finding)
		}
		if !r.fate.stays() {
			r.gap = w.gap(samples, from, to)
		}
		all = append(all, r)
		t.Logf("round %d: %s", i+1, r)
		if r.fate.unplanned() {
			w.rebuild(from, to)
		}
	}
	t.Logf("seed %d, %d rounds\n%s", *seed, len(all), table(all))
}

// rebuild clones the databases of a former primary that have parted from the present one's, as a person has to.
func (w *world) rebuild(former, present *region) {
	for _, name := range databases {
		if former.database.Diverged(name, present.database) {
			w.t.Logf("%s/%s has written what %s has not: rebuilt", former.Name, name, present.Name)
			// Nobody knows before it runs as a replica, and does not stream.
			w.await(fmt.Sprintf("%s/%s is demoted", former.Name, name), func() (is bool) {
				former.database.With(name, func(p *postgres.Instance) { is = p.Running && !p.Primary })
				return is
			})
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
	gone := func(how func() error) {
		w.gone.Store(true)
		r.gone = now()
		if err := how(); err != nil {
			t.Fatal(err)
		}
	}
	back := func() {
		w.gone.Store(false)
		r.back = now()
	}
	fenced := func(begun lease.Instant) {
		r.back = w.is("fenced", from, view.fenced)
		r.fenced = r.back.Sub(begun)
		w.gone.Store(false)
	}
	start := func() {
		begun := now()
		from.start(t)
		fenced(begun)
	}
	kill := func() error { return from.Process().Kill() }
	switch r.fate {
	case supervised:
		epoch := from.Ask(w.t).Epoch
		gone(kill)
		<-time.After(time.Duration(random.IntN(3000)) * time.Millisecond) // its authority lasts longer
		from.start(t)
		w.goesOn(from, epoch)
		back()
		return
	case late:
		gone(kill)
		saved, err := from.Saved()
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(saved.Deadline.Sub(now()))
		start()
	case dead:
		gone(kill)
		w.is("active", to, view.active)
		start()
	case frozen:
		gone(func() error { return from.Process().Freeze(t.Context()) })
		w.is("active", to, view.active)
		begun := now()
		if err := from.Process().Thaw(); err != nil {
			t.Fatal(err)
		}
		fenced(begun)
	case stopped:
		if err := from.Process().Terminate(); err != nil {
			t.Fatal(err)
		}
		w.is("active", to, view.active)
		begun := now()
		from.start(t)
		r.fenced = w.is("fenced", from, view.fenced).Sub(begun)
	case handedOver:
		ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
		defer cancel()
		// How long it looks for the end is its own business: it is told that it has begun.
		if _, output, err := from.CLI(ctx, "switchover", "--to", string(to.Name), "--yes", "--reason", "a test"); err != nil || !strings.Contains(output, "is fencing") {
			t.Fatalf("switchover: %v: %s", err, output)
		}
	case blind:
		epoch := from.Ask(w.t).Epoch
		from.Link.Hang()
		<-time.After(ttl) // it outlives all that the witness gave it
		w.goesOn(from, epoch)
		from.Link.Heal()
		return
	case alone:
		from.Link.Hang()
		from.askedThrough(resolvers.Drops)
		w.is("active", to, view.active)
		from.Link.Heal()
		from.askedThrough(resolvers.Honest)
	}
	w.is("active", to, view.active)
}

// goesOn waits until an agent answers that is active for an epoch still.
func (w *world) goesOn(r *region, epoch uint64) {
	w.t.Helper()
	w.await(fmt.Sprintf("%s goes on", r.Name), func() bool {
		s, err := r.Status(w.t.Context())
		if err == nil && s.Epoch > epoch {
			w.t.Fatalf("%s was active for epoch %d, and is %s for epoch %d", r.Name, epoch, s.State, s.Epoch)
		}
		return err == nil && s.State == lease.Active
	})
	w.is("active", r, view.active)
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
