package sim

import (
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// holding reports whether the region holds authority at true time t. One that
// crashed or froze holds it up to its deadline: it may come back and go on.
func (r *region) holding(t Time) bool { return r.holds && t < r.until }

// checkAuthority follows a region's authority in true time, after a step of
// its machine, and checks that no other region holds it too.
func (w *world) checkAuthority(r *region, before lease.Decision, now lease.Instant) {
	d := &r.decision
	if !d.Authority || now >= d.Deadline {
		if before.Authority && r.holds { // ended, by the deadline or by giving it up
			w.checkFenced(r, before.Deadline)
		}
		r.holds = false // a restart that did not find it on disk ends it too
		return
	}
	acquired := !r.holding(w.now) || r.epoch != d.Epoch
	r.holds, r.epoch = true, d.Epoch
	until := r.clock.when(d.Deadline)
	if until != r.until {
		r.until = until
		w.schedule(happening{at: until, kind: deadlineDue, region: r.index})
	}
	start := max(w.covered, w.now)
	if until > start {
		w.result.Held += time.Duration(until - start)
		w.covered = until
	}
	for _, o := range w.regions {
		if both := min(until, o.until); o.number != r.number && o.holding(w.now) && both > max(w.doubled, w.now) {
			w.result.Overlap += time.Duration(both - max(w.doubled, w.now))
			w.doubled = both
		}
	}
	if !acquired {
		return
	}
	w.result.Takes++
	if d.Reason == lease.ReasonPledged {
		w.checkPledgers(r)
	}
	for _, o := range w.regions {
		if o.number != r.number && o.holding(w.now) && !w.cfg.Faults.KeepOn {
			w.violation("overlap: %s acquires authority for epoch %d while %s holds it for epoch %d, for %v more",
				r.name, d.Epoch, o.name, o.epoch, time.Duration(o.until-w.now))
		}
	}
	if !w.hidden && !w.cfg.Faults.KeepOn && (d.Epoch < w.maxEpoch || d.Epoch == w.maxEpoch && w.maxEpochOf.number != r.number) {
		w.violation("epoch: %s acquires authority for epoch %d after epoch %d of %s", r.name, d.Epoch, w.maxEpoch, w.maxEpochOf.name)
	}
	w.takeDoomed(r)
	if w.dead != nil && w.dead != r {
		w.replaced(r)
	}
}

// checkWord checks that a region takes by itself only in the mode for it, and while it is not paused (§4, modes).
func (w *world) checkWord(r *region, before lease.Decision, now lease.Instant, ev lease.Event) {
	took := before.State != lease.Active && r.decision.State == lease.Active && (r.decision.Reason == lease.ReasonTaken || r.decision.Reason == lease.ReasonPledged)
	if !took || now < before.PermittedUntil || before.Mode == lease.ModeAutomatic && now >= before.PausedUntil {
		return
	}
	switch ev := ev.(type) {
	case lease.Approve, lease.Takeover:
	case lease.Pause:
		if ev.For > 0 || before.Mode != lease.ModeAutomatic {
			w.violation("mode: %s, %s, takes when it is paused", r.name, before.Mode)
		}
	default:
		w.violation("mode: %s, %s, takes without a word", r.name, before.Mode)
	}
}

// checkPledgers checks that the layers of those who have pledged are inactive
// when a region takes by their pledges (§4).
func (w *world) checkPledgers(r *region) {
	for _, o := range w.regions {
		if o.number != r.number && o.up && !o.follows() && o.site.layersOn {
			w.violation("layers: %s takes by pledges while %s's are active", r.name, o.name)
		}
	}
}

// checkHandOvers checks that a region that is degraded again and again does not hand over
// as often (§4). Clocks are no better than they are.
func (w *world) checkHandOvers(r *region) {
	w.result.HandOvers++
	r.handOvers = append(r.handOvers, w.now)
	over := len(r.handOvers) - 1 - r.params.MaxHandOvers
	if over >= 0 && float64(w.now-r.handOvers[over])*(1+2*r.params.MaxClockDrift) < float64(r.params.HandOverWindow) {
		w.violation("hand-overs: %s hands over for the %d. time within %v", r.name, r.params.MaxHandOvers+1, r.params.HandOverWindow)
	}
}

// checkLayers is due at a deadline that may have been moved on since.
func (w *world) checkLayers(r *region, h happening) {
	if h.at == r.until && r.holds {
		w.checkFenced(r, r.decision.Deadline)
	}
}

// checkFenced checks that the layers are inactive when authority ends (§2). An
// agent that was dead, frozen or cut off from its API server since fencing was due could not see to it.
func (w *world) checkFenced(r *region, deadline lease.Instant) {
	due := r.clock.when(deadline.Add(-r.params.FenceTimeout))
	heir := r.follows() || r.decision.Term < r.site.term // another instance sees to them
	if r.site.layersOn && r.up && !r.frozen && !r.cutOff() && !heir && r.disturbed < due {
		w.violation("layers: %s's are not inactive at its deadline", r.name)
	}
}

// checkReleased checks that an agent that ends as it was asked to has seen to the layers, or leaves them to another instance of its
// region, which acts, or lives (§5). One that is cut off from its API server can do no more.
func (w *world) checkReleased(r *region) {
	holder := r.site.record.Holder
	left := holder != "" && holder != r.params.Instance ||
		slices.ContainsFunc(w.regions, func(o *region) bool { return o != r && o.number == r.number && o.up })
	if r.site.layersOn && !left && !r.cutOff() {
		w.violation("stop: %s ends, its layers are active, and nobody sees to them", r.name)
	}
}

// judge checks that authority has come back after all faults ended.
func (w *world) judge() {
	if w.cfg.Faults.Split || w.cfg.Faults.OtherTTL > 0 {
		return // nobody may take
	}
	holder := w.holder()
	if holder == nil {
		w.violation("liveness: nobody holds authority %v after all faults ended", Recovery(w.cfg.Params))
	}
	for _, r := range w.regions {
		if holder != nil && r.number != holder.number && r.up && r.site.layersOn {
			w.violation("layers: %s's are active %v after all faults ended", r.name, Recovery(w.cfg.Params))
		}
	}
}
