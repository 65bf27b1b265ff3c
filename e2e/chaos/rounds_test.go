package chaos

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// A kind of round is one thing that is done to a group that is whole; see settle.
type kind struct {
	name string
	run  func(*world, *Round, *region, []*region)
}

// kinds are those that there are.
var kinds = []kind{
	{"kill", (*world).kill},
	{"freeze", (*world).freeze},
	{"kill, restart at once", (*world).killRestart},
	{"cut: hangs", func(w *world, r *Round, holder *region, _ []*region) { w.cut(r, holder, holder.Link.Hang) }},
	{"terminate", (*world).terminate},
	{"kill, freeze candidate", (*world).freezeCandidate},
	{"nap", (*world).nap},
	{"cut: refuses", func(w *world, r *Round, holder *region, _ []*region) { w.cut(r, holder, holder.Link.Refuse) }},
	{"kill standby", (*world).killStandby},
	{"freeze", (*world).freeze}, // twice, as it is the hardest for safety
}

// begin notes that a fault begins now.
func (r *region) begin(kind FaultKind) {
	r.record.Faults = append(r.record.Faults, Fault{kind, now(), lease.Never})
}

// end notes that the region's last fault is undone now.
func (r *region) end() lease.Instant {
	f := &r.record.Faults[len(r.record.Faults)-1]
	f.To = now()
	return f.To
}

// hit does something to a region at a moment of its renewals that is drawn: any time, or between a write's landing and
// its answer.
func (w *world) hit(round *Round, r *region, kind FaultKind, do func() error) {
	w.t.Helper()
	done := make(chan error, 1)
	act := func() {
		r.begin(kind)
		done <- do()
	}
	if round.Landed = w.random.IntN(3) == 0; round.Landed {
		r.onWrite(lease.FlagActive, act)
	} else {
		time.AfterFunc(w.draw(w.group.Params.RenewInterval), act)
	}
	tick := time.NewTicker(w.group.Params.TTL)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			if err != nil {
				w.t.Fatalf("%s: %s: %v", r.Name, kind, err)
			}
			r.frozen = kind == Frozen
			round.Victim, round.At = r.Name, r.record.Faults[len(r.record.Faults)-1].From
			return
		case <-tick.C:
			// On a machine that stood still it may have lost its lease since the group was whole: it will write no such flag.
			if s, ok := w.status(r); ok && s.State != lease.Active && r.onWrite("", nil) {
				round.Landed = false
				act()
			}
		}
	}
}

// draw returns a time from 0 to d.
func (w *world) draw(d time.Duration) time.Duration { return time.Duration(w.random.Int64N(int64(d))) }

func (w *world) freezeProcess(r *region) func() error {
	return func() error {
		ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
		defer cancel()
		return r.Process().Freeze(ctx)
	}
}

// takeover waits until a region that was left alone is active, and measures.
func (w *world) takeover(round *Round, victims ...*region) {
	w.t.Helper()
	victim := victims[0]
	w.saved(victim)
	var taker *region
	var epoch uint64
	w.await("another region takes over from "+string(victim.Name), func() bool {
		for _, r := range w.regions {
			if slices.Contains(victims, r) {
				continue
			}
			if s, ok := w.status(r); ok && s.State == lease.Active && s.AllLayers("active") {
				taker, epoch = r, s.Epoch
				return true
			}
		}
		return false
	})
	w.saved(taker)
	w.collect()
	renewed, _ := victim.lastWrite() // not before: one may have been on its way
	round.Taker, round.Renewed = taker.Name, renewed.Arrived
	for _, t := range taker.record.Transitions {
		if t.To == lease.Active && t.Epoch == epoch && round.Taken == 0 {
			round.Taken = t.At
		}
	}
	for _, h := range taker.record.Hooks {
		if h.Action == "activate" && h.Epoch == epoch && h.Phase == "end" && round.Activated == 0 {
			round.Activated = h.At
		}
	}
	if round.Taken == 0 || round.Activated == 0 {
		w.t.Fatalf("%s is active in epoch %d, but its history or its hook does not say so", taker.Name, epoch)
	}
}

// unfenced reports whether the region's hook had not fenced at an instant. It had if the region had lost its lease before the fault:
// then it does not fence again.
func (w *world) unfenced(r *region, at lease.Instant) bool {
	w.t.Helper()
	hooks, err := r.HookRuns()
	if err != nil {
		w.t.Fatalf("%s: %v", r.Name, err)
	}
	hooks = slices.DeleteFunc(hooks, func(h daemon.HookRun) bool { return h.At >= at })
	return len(hooks) == 0 || hooks[len(hooks)-1].Action != "fence" || hooks[len(hooks)-1].Phase != "end"
}

// fenced waits until the region has fenced since an instant, and is a standby. It returns when the fence hook ended.
func (w *world) fenced(r *region, since lease.Instant) lease.Instant {
	w.t.Helper()
	var at lease.Instant
	w.await(string(r.Name)+" fences", func() bool {
		hooks, err := r.HookRuns()
		if err != nil {
			w.t.Fatalf("%s: %v", r.Name, err)
		}
		for _, h := range hooks {
			if h.At >= since && h.Action == "fence" && h.Phase == "end" {
				at = h.At
				s, ok := w.status(r)
				return ok && s.State != lease.Active && s.State != lease.Fencing
			}
		}
		return false
	})
	return at
}

func (w *world) kill(round *Round, holder *region, _ []*region) {
	w.hit(round, holder, Killed, holder.Process().Kill)
	w.takeover(round, holder)
	since := holder.end()
	holder.Start(w.t)
	w.fenced(holder, since)
}

func (w *world) freeze(round *Round, holder *region, _ []*region) {
	w.hit(round, holder, Frozen, w.freezeProcess(holder))
	w.takeover(round, holder)
	w.thaw(round, holder)
}

// thaw ends a freeze that was longer than the authority, and measures for how long its layer then stays active.
func (w *world) thaw(round *Round, r *region) {
	w.t.Helper()
	since := r.end()
	if err := r.Process().Thaw(); err != nil {
		w.t.Fatalf("%s: %v", r.Name, err)
	}
	r.frozen = false
	round.Thawed = since
	if w.unfenced(r, since) {
		round.Fenced = w.fenced(r, since)
	}
}

// killRestart kills the holder and starts it again at once: within its deadline, so it goes on.
func (w *world) killRestart(round *Round, holder *region, _ []*region) {
	w.hit(round, holder, Killed, holder.Process().Kill)
	saved := w.saved(holder)
	w.collect()
	before := len(holder.record.Transitions)
	holder.end()
	holder.Start(w.t)
	w.await(string(holder.Name)+" runs again", func() bool {
		w.collect()
		s, ok := w.status(holder)
		return ok && len(holder.record.Transitions) > before && (s.State != lease.Active || s.AllLayers("active")) && s.State != lease.Fencing
	})
	first := holder.record.Transitions[before]
	switch {
	case first.Reason == lease.ReasonResumed && first.Epoch == saved.Epoch:
		round.Resumed, round.Down = "yes", first.At.Sub(round.At)
	case saved.Epoch == 0 || first.At >= saved.Deadline:
		round.Resumed = fmt.Sprintf("no: it ran %v after the deadline", first.At.Sub(saved.Deadline))
	default:
		w.t.Errorf("round %d: %s had authority for epoch %d on disk for %v more when it was restarted, and did not go on with it: %+v",
			len(w.rounds), holder.Name, saved.Epoch, saved.Deadline.Sub(first.At), first)
	}
}

func (w *world) terminate(round *Round, holder *region, _ []*region) {
	w.hit(round, holder, Terminated, holder.Process().Terminate)
	w.awaitExit(holder)
	w.takeover(round, holder)
	since := holder.end()
	holder.Start(w.t)
	w.fenced(holder, since)
}

// awaitExit waits until a daemon that was asked to stop has.
func (w *world) awaitExit(r *region) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	if code, err := r.Process().Wait(ctx); code != 0 || err != nil {
		w.t.Fatalf("%s: SIGTERM: exit code %d, %v; want 0", r.Name, code, err)
	}
}

func (w *world) cut(round *Round, holder *region, cut func()) {
	w.hit(round, holder, Cut, func() error { cut(); return nil })
	w.takeover(round, holder)
	if w.unfenced(holder, round.At) {
		round.Fenced = w.fenced(holder, round.At)
	}
	holder.Link.Heal()
	holder.end()
}

// killStandby kills a region whose absence changes nothing.
func (w *world) killStandby(round *Round, holder *region, standbys []*region) {
	victim := standbys[w.random.IntN(len(standbys))]
	before, asked := w.status(holder)
	w.hit2(round, victim, Killed, victim.Process().Kill)
	since := victim.end()
	victim.Start(w.t)
	w.fenced(victim, since)
	if after, ok := w.status(holder); asked && ok && after.Epoch != before.Epoch {
		w.collect()
		if len(holder.record.Lost()) == 0 {
			w.t.Errorf("round %d: %s had epoch %d before a standby died, and %d after: want no change", len(w.rounds), holder.Name, before.Epoch, after.Epoch)
		}
	}
}

// hit2 is hit for a region that does not write.
func (w *world) hit2(round *Round, r *region, kind FaultKind, do func() error) {
	w.t.Helper()
	r.begin(kind)
	if err := do(); err != nil {
		w.t.Fatalf("%s: %s: %v", r.Name, kind, err)
	}
	round.Victim, round.At = r.Name, r.record.Faults[len(r.record.Faults)-1].From
}

// freezeCandidate kills the holder, and freezes the region that is about to take over when its flag has just landed:
// the third one takes over. The candidate wakes in the middle of a takeover that is no longer its own.
func (w *world) freezeCandidate(round *Round, holder *region, standbys []*region) {
	type frozen struct {
		r   *region
		err error
	}
	candidate := make(chan frozen, 1)
	var first atomic.Bool
	for _, r := range standbys {
		r.onWrite(lease.FlagCandidate, func() {
			if !first.CompareAndSwap(false, true) {
				return
			}
			r.begin(Frozen)
			candidate <- frozen{r, w.freezeProcess(r)()}
		})
	}
	w.hit(round, holder, Killed, holder.Process().Kill)
	var c frozen
	w.await("a candidate", func() bool {
		select {
		case c = <-candidate:
			return true
		default:
		}
		// If the region that was killed had lost its lease before, another one has it, and none becomes a candidate.
		return slices.ContainsFunc(standbys, func(r *region) bool {
			s, ok := w.status(r)
			return ok && s.State == lease.Active && first.CompareAndSwap(false, true)
		})
	})
	if c.err != nil {
		w.t.Fatalf("%s: freeze: %v", c.r.Name, c.err)
	}
	for _, r := range standbys {
		r.onWrite("", nil)
	}
	if c.r == nil {
		w.takeover(round, holder)
	} else {
		c.r.frozen = true
		round.Candidate = c.r.Name
		w.takeover(round, holder, c.r)
		round.Thawed = c.r.end()
		if err := c.r.Process().Thaw(); err != nil {
			w.t.Fatalf("%s: %v", c.r.Name, err)
		}
		c.r.frozen = false
	}
	since := holder.end()
	holder.Start(w.t)
	w.fenced(holder, since)
}

// nap freezes the holder for a time that is drawn, shorter or longer than its authority: it wakes before its deadline,
// around it, or when another is about to take over.
func (w *world) nap(round *Round, holder *region, _ []*region) {
	w.hit(round, holder, Frozen, w.freezeProcess(holder))
	wake := time.NewTimer(w.draw(w.group.Params.TTL * 3 / 2))
	defer wake.Stop()
	<-wake.C
	round.Thawed = holder.end()
	if err := holder.Process().Thaw(); err != nil {
		w.t.Fatalf("%s: %v", holder.Name, err)
	}
	holder.frozen = false
}
