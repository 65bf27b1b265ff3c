package sim

import (
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// drawFault draws the next fault of a world.
func (w *world) drawFault() {
	if w.cfg.Faults.Deaths {
		w.killHolder()
		return
	}
	if !w.chaos {
		return
	}
	w.result.Faults++
	r := w.regions[w.rng.IntN(len(w.regions))]
	if h := w.holder(); h != nil && w.rng.IntN(2) == 0 {
		r = h
	} else if c := w.candidate(); c != nil && w.cfg.Faults.Duels {
		r = c
	}
	p := w.cfg.Params
	long := w.upTo(4 * (p.TTL + p.Staleness)) // from a moment to minutes
	pause := w.upTo(2 * (p.TTL + p.Staleness))
	fault := w.rng.IntN(w.faultKinds())
	if w.cfg.Faults.Duels {
		pause, fault = w.upTo(p.TTL), [...]int{0, 5, 5, 6, 8, 12, 13}[w.rng.IntN(7)]
	}
	if w.cfg.Instances > 0 && w.rng.IntN(3) == 0 {
		w.cutAPIFault(r, long)
		w.schedule(happening{at: w.now.Add(pause), kind: nextFault})
		return
	}
	if len(w.stores) > 1 && w.rng.IntN(2) == 0 {
		w.witnessFault(r, long)
		w.schedule(happening{at: w.now.Add(pause), kind: nextFault})
		return
	}
	switch fault {
	case 0, 1:
		w.crash(r, w.upTo(p.TTL/2), false)
	case 2:
		w.crash(r, long, w.rng.IntN(2) == 0)
	case 3, 4:
		if r.up && !r.frozen {
			r.freeze(long)
		}
	case 5, 6:
		w.cut(r, long)
	case 7:
		w.down = true
		w.trace("the witness is down for %v", long)
		w.mendIn(long, func() { w.down = false })
	case 8:
		w.lossy = true
		w.trace("links are lossy for %v", long)
		w.mendIn(long, func() { w.lossy = false })
	case 9:
		r.garbling++
		w.hidden = true
		w.trace("%s writes what others can't read for %v", r.name, long)
		w.mendIn(long, func() { r.garbling-- })
	case 10:
		r.diskFull, w.hidden = true, true
		w.trace("%s's disk is full for %v", r.name, long)
		w.mendIn(long, func() { r.diskFull = false })
	case 11:
		w.stop(r, long)
	case 12:
		w.trace("whoever takes next dies of it")
		w.doomed = true
	case 13:
		w.trace("whoever raises its flag next can't write from somewhen on, until another raises its own")
		w.muting = true
	case 14:
		w.noQuorum = true
		w.trace("nobody can ask anybody for %v", long)
		w.mendIn(long, func() { w.noQuorum = false })
	case 15:
		i := w.rng.IntN(resolvers)
		w.resolverDown[i]++
		w.trace("resolver %d is down for %v", i, long)
		w.mendIn(long, func() { w.resolverDown[i]-- })
	case 16:
		asking := w.rng.IntN(2) == 0
		w.trace("%s can't ask, or be asked, for %v (%v)", r.name, long, asking)
		if asking {
			r.cutAsking++
			w.mendIn(long, func() { r.cutAsking-- })
		} else {
			r.cutAsked++
			w.mendIn(long, func() { r.cutAsked-- })
		}
	case 17, 18:
		to := w.regions[w.rng.IntN(len(w.regions))]
		w.trace("%s is asked to hand over to %s", r.name, to.name)
		r.deliver(lease.HandOver{To: to.params.Region})
	case 19:
		if w.cfg.Instances > 0 { // an operator's word is about one agent
			w.sweep(r, long)
		} else {
			w.takeover(r, long)
		}
	}
	w.schedule(happening{at: w.now.Add(pause), kind: nextFault})
}

// faultKinds is how many kinds of faults there are: the last ones are of the
// quorum.
func (w *world) faultKinds() int {
	switch {
	case w.cfg.Params.Quorum:
		return 20
	}
	return 14
}

// takeover is the witness down, a region dead, and an operator who says so to
// another one, at times more than once, and who keeps it down as restart says. There
// is one operator: two that each keep down whom the other's region needs end nothing.
func (w *world) takeover(dead *region, outage time.Duration) {
	w.down = true
	w.mendIn(outage, func() { w.down = false })
	w.crash(dead, w.upTo(w.cfg.Params.TTL), false)
	w.trace("the witness is down for %v", outage)
	o := w.regions[(dead.number+1+w.rng.IntN(len(w.regions)-1))%len(w.regions)]
	w.mendIn(w.upTo(w.cfg.Params.TTL), func() {
		if !dead.up && o.up && !w.wordStands() { // a dead agent can't be told
			w.trace("%s is told that %s is fenced", o.name, dead.name)
			word := w.cfg.Params.RequestTimeout
			dead.holds, dead.keptDown = false, max(dead.until, w.now.Add(2*word))
			o.wordOf = dead
			w.hidden = true // the dead one does not learn of the epoch
			o.deliver(lease.Takeover{Fenced: dead.params.Region, Until: o.clock.read(w.now).Add(word)})
		}
	})
}

// wordStands reports whether an operator keeps a region down.
func (w *world) wordStands() bool {
	return slices.ContainsFunc(w.regions, func(r *region) bool { return r.wordOf != nil })
}

// restart starts the dead agent of a region, unless an operator has said to another
// one that it is down: it is to stay down for a TTL, and until the other one has
// renewed at the witness. When all faults have ended, a word that came to nothing, as
// the other one did not take it or no longer goes by it, keeps nobody down.
func (w *world) restart(r *region) {
	again := happening{at: w.now.Add(w.cfg.Params.TTL), kind: restart, region: r.index, life: r.life}
	if w.now < r.keptDown {
		w.schedule(again)
		return
	}
	for _, o := range w.regions {
		if o.wordOf == r && (w.chaos || o.decision.Authority || o.fencedByWord(r)) {
			w.schedule(again)
			return
		}
	}
	r.start()
}

// sweep is the witness down and a holder dead, and a moment after another one has taken, by pledges,
// every instance that acts dies too: the next ones know what was left to them.
func (w *world) sweep(r *region, outage time.Duration) {
	w.trace("the witness is down for %v, and when the next one has taken, every one that acts dies", outage)
	w.down, w.swept = true, true
	w.mendIn(outage, func() { w.down = false })
	w.crash(r, outage, false)
}

// cutGiver keeps an instance that gives its region's authority up from saying so on the record, though it can
// fence its layers, and ends it.
func (w *world) cutGiver(r *region) {
	if !w.chaos {
		return
	}
	w.trace("%s can't reach the record, and dies", r.name)
	r.cutTerm++
	w.disturb(r)
	w.mendIn(w.cfg.Params.TTL, func() { r.cutTerm--; w.disturb(r) })
	w.mendIn(w.upTo(w.cfg.Params.TTL/2), func() { w.crash(r, w.cfg.Params.TTL, false) })
}

// operate is an operator who says something to somebody, again and again. When all faults have ended they have
// somebody take if nobody does: in a group without an automatic region nobody else would.
func (w *world) operate() {
	next := w.upTo(w.cfg.Params.TTL)
	r := w.regions[w.rng.IntN(len(w.regions))]
	what := w.rng.IntN(5)
	if !w.chaos {
		next, what = w.cfg.Params.TTL/3, 3
		r.deliver(lease.Pause{})
	}
	if r.up {
		switch what {
		case 0:
			r.deliver(lease.Pause{For: w.upTo(4 * w.cfg.Params.TTL)})
		case 1:
			r.deliver(lease.Pause{})
		case 2, 3:
			r.deliver(lease.Takeover{Until: r.clock.read(w.now).Add(w.cfg.Params.RequestTimeout)})
			fallthrough
		case 4:
			r.deliver(lease.Approve{Kind: r.decision.Request.Kind, Until: r.clock.read(w.now).Add(w.cfg.Params.RequestTimeout)})
		}
	}
	w.schedule(happening{at: w.now.Add(next), kind: mend, load: w.operate})
}

// takeDoomed ends the agent that has just taken, before its flag says "active", if it was doomed, and
// all that act if they were.
func (w *world) takeDoomed(r *region) {
	end := func(r *region) { w.crash(r, w.upTo(4*w.cfg.Params.TTL), false) }
	if w.doomed {
		w.doomed = false
		w.mendIn(0, func() { end(r) })
	}
	if !w.swept {
		return
	}
	w.swept = false
	w.mendIn(w.upTo(w.cfg.Params.RequestTimeout), func() {
		for _, o := range w.regions {
			if !o.follows() {
				end(o)
			}
		}
	})
}

// flagRaised mutes a candidate while its flag settles, and gives the muted one
// its voice back while another's does.
func (w *world) flagRaised(r *region) {
	settling := w.upTo(w.cfg.Params.Staleness)
	switch o := w.muted; {
	case o != nil && o != r:
		w.muted = nil
		w.mendIn(settling, func() { o.cutWrites-- })
	case o == nil && w.muting:
		w.muting = false
		w.mendIn(settling, func() { w.muted = r; r.cutWrites++ })
	}
}

// candidate is a region that has raised its flag; nil if there is none.
func (w *world) candidate() *region {
	for _, r := range w.regions {
		if r.up && r.decision.State == lease.Candidate {
			return r
		}
	}
	return nil
}

// holder is the region that holds authority now; nil if none does.
func (w *world) holder() *region {
	for _, r := range w.regions {
		if r.holding(w.now) {
			return r
		}
	}
	return nil
}

// crash ends the agent of a region and starts it again after d, perhaps on a
// machine that booted anew.
func (w *world) crash(r *region, d time.Duration, reboot bool) {
	if !r.up {
		return
	}
	r.crash()
	if reboot {
		r.reboot()
	}
	w.schedule(happening{at: w.now.Add(d), kind: restart, region: r.index, life: r.life})
}

// stop asks an agent to stop, at times every instance of its region, and starts it again. One of several instances ends when it
// is done.
func (w *world) stop(r *region, d time.Duration) {
	whole := w.cfg.Instances > 0 && w.rng.IntN(2) == 0
	w.trace("%s is asked to stop (all of its region: %v), and is started again after %v", r.name, whole, d)
	for _, o := range w.regions {
		if o == r || whole && o.number == r.number {
			o.deliver(lease.Release{})
			w.mendIn(w.cfg.Params.FenceTimeout+d, func() { w.crash(o, 0, false) })
		}
	}
}

// flap has a region be degraded or behind, and recover, after a while.
func (w *world) flap(r *region) {
	w.schedule(happening{at: w.now.Add(w.upTo(4 * w.cfg.Params.TTL)), kind: mend, load: func() {
		if w.chaos {
			w.becomeHealth(r, !r.health.Degraded, w.rng.IntN(4) == 0)
			w.flap(r)
		}
	}})
}

func (w *world) becomeHealth(r *region, degraded, behind bool) {
	r.health = lease.Health{Degraded: degraded}
	if behind {
		r.health.Behind = []string{"db"}
	}
	w.trace("%s degraded: %v, behind: %v", r.name, degraded, behind)
	r.deliver(r.health)
}

// mendIn ends a fault after d, unless all faults end before.
func (w *world) mendIn(d time.Duration, end func()) {
	w.schedule(happening{at: w.now.Add(d), kind: mend, load: func() {
		if w.chaos {
			end()
		}
	}})
}

// endFaults ends all faults: everyone lives, reaches the witness, and nothing
// that was on its way lands any more.
func (w *world) endFaults() {
	w.trace("all faults end")
	w.chaos, w.lossy, w.doomed, w.swept, w.muting, w.muted = false, false, false, false, false, nil
	w.down, w.noQuorum, w.resolverDown = w.cfg.Faults.WitnessGone, w.cfg.Faults.QuorumGone, [resolvers]int{}
	for _, r := range w.regions {
		if r.cutOff() {
			w.disturb(r)
		}
		r.cutReads, r.cutWrites, r.garbling, r.diskFull, r.cutAsking, r.cutAsked, r.cutAPI, r.cutTerm, r.site.down = 0, 0, 0, false, 0, 0, 0, 0, 0
		if w.cfg.Faults.Cripple && r.number == 0 {
			r.cutReads = 1
		}
		r.observeStill()
		for _, s := range w.stores {
			s.flags[r.number].held, s.down, s.cut[r.number] = nil, 0, 0
		}
		switch {
		case !r.up:
			r.life++
			w.restart(r)
		case r.frozen:
			r.thaw()
		}
		if r.decision.Stopping {
			w.crash(r, 0, false)
		}
	}
	if w.cfg.Faults.Outvoted {
		w.outvote()
	}
	if w.cfg.Faults.Flapping {
		degraded := w.rng.IntN(2) == 0 // all of them: a lease that nobody holds is taken all the same
		for _, r := range w.regions {
			w.becomeHealth(r, degraded, degraded)
		}
	}
}

// killHolder is the world in which only the holder dies, and in which the next
// one dies when all is calm again.
func (w *world) killHolder() {
	h := w.holder()
	if h == nil || w.deadAt != 0 {
		w.schedule(happening{at: w.now.Add(time.Second), kind: nextFault})
		return
	}
	w.result.Faults++
	w.deadAt, w.dead = w.now, h
	h.crash()
}

// replaced ends a death: the gap is counted, the dead comes back, and the next
// death is drawn.
func (w *world) replaced(by *region) {
	gap := time.Duration(float64(w.now-w.dead.wrote) * by.clock.rate)
	w.result.Gaps = append(w.result.Gaps, gap)
	w.trace("gap of %v since the last renewal of %s", gap, w.dead.name)
	if gap > w.result.Bound {
		w.violation("gap of %v since the last renewal of %s, the bound is %v", gap, w.dead.name, w.result.Bound)
	}
	w.schedule(happening{at: w.now.Add(w.upTo(w.settling())), kind: restart, region: w.dead.index, life: w.dead.life})
	w.deadAt, w.dead = 0, nil
	again := 2*w.settling() + time.Duration(w.rng.Int64N(int64(w.cfg.Params.RenewInterval)))
	w.schedule(happening{at: w.now.Add(again), kind: nextFault})
}
