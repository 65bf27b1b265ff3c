package main

import (
	"fmt"
	"maps"
	"slices"
)

// What §3 says: the witness, and how a region takes by it.

// write is an attempt to write the own flag.
func (a *agent) write(act writeAction) {
	f := act.Flag
	if act.Witness < 0 || act.Witness >= len(a.at) {
		panic(malformed{fmt.Errorf("%s writes to witness %d of %d", a.name, act.Witness, len(a.at))})
	}
	a.c.want(!a.c.ids[f.WriteID], "write-id", a.name, func() string { return fmt.Sprintf("write id %x was used before", f.WriteID) })
	a.c.ids[f.WriteID] = true
	is := f.State == candidate && a.state == candidate || f.State == active && a.stands()
	a.c.want(is && f.Epoch == a.epoch, "flag-true", a.name, func() string {
		return fmt.Sprintf("its flag says %s of epoch %d, and it is %s for epoch %d", f.State, f.Epoch, a.state, a.epoch)
	})
	a.writes[act.ID] = write{act.Witness, a.now, f.Epoch, f.State, f.WriteID}
}

// written is the outcome of that. One that comes after request_timeout is of no use.
func (a *agent) written(ev outcomeEvent) {
	w, is := a.writes[ev.ID]
	delete(a.writes, ev.ID)
	if !is || !ev.Acked {
		return
	}
	a.c.acknowledged(a, w)
	if a.now-w.sent > a.p.RequestTimeout || a.state == follower {
		return
	}
	at := a.at[w.witness]
	at.acks = append(at.acks, ack{w.id, a.now})
	a.seen[w.id] = true
	a.evidence[a.region] = a.now
	if w.epoch != a.epoch {
		return
	}
	f := &at.flags
	if f.epoch != w.epoch {
		*f = flags{epoch: w.epoch, first: a.now, any: never, active: never}
	}
	f.any = max(f.any, w.sent)
	if w.state == active {
		f.active = max(f.active, w.sent)
		if a.flagBase(true) > never {
			clear(a.word) // the witness shows again who lives
		}
	}
}

// read takes what came of a round of reads in. Late ones are evidence, and nothing else.
func (a *agent) read(ev roundEvent) {
	sent, is := a.reads[ev.ID]
	delete(a.reads, ev.ID)
	if !is || len(ev.Flags) != len(a.p.Members) || ev.Infos != nil && len(ev.Infos) != len(a.p.Members) {
		panic(malformed{fmt.Errorf("%s has read what it did not ask for", a.name)})
	}
	if a.state == follower {
		return
	}
	w := a.at[sent.witness]
	whole, back := true, false
	for j, f := range ev.Flags {
		region := a.p.Members[j]
		a.c.fresh(a, register{region, sent.witness}, sent.sentAt, w.bound, f.Outcome, f.Flag.WriteID)
		if region == a.region {
			back = a.readOwn(w, sent, f.Outcome, f.Flag.WriteID)
			continue
		}
		whole = whole && f.Outcome != readUnknown
		if f.Outcome != readFound && f.Outcome != readMalformed || a.seen[f.Flag.WriteID] {
			continue
		}
		a.seen[f.Flag.WriteID] = true
		a.evidence[region] = a.now
		delete(a.word, region)
		if f.Outcome == readFound {
			a.saw(region, f.Flag.Epoch)
			if f.Flag.State == active {
				a.holder = max(a.holder, f.Flag.Epoch)
			}
		}
	}
	for j, i := range ev.Infos {
		if region := a.p.Members[j]; region != a.region && i.Outcome == readFound {
			w.known[region] = true
			w.differs[region] = a.safety != nil && !maps.Equal(a.safety, i.Info.Safety)
		}
	}
	if a.now-sent.sent > a.p.RequestTimeout {
		return
	}
	if ev.Flags[slices.Index(a.p.Members, a.region)].Outcome != readUnknown {
		w.own = max(w.own, sent.sent)
	}
	if whole && (!w.whole || sent.sent >= w.round.sent) {
		w.round, w.whole, w.back = sent, true, back
	}
}

// readOwn reports whether the own flag was returned, no older than the bound: the last write that was acknowledged
// longer(Δ) before the read was sent, or a later one.
func (a *agent) readOwn(w *witness, sent roundSent, outcome int, id writeID) bool {
	if outcome == readUnknown {
		return false
	}
	there := outcome == readFound || outcome == readMalformed
	if there && !a.seen[id] { // of another instance, or of its own, and landed late
		a.seen[id] = true
		a.evidence[a.region] = a.now
	}
	n := len(w.acks)
	for n > 0 && w.acks[n-1].at+a.p.longer(w.bound) > sent.sent {
		n--
	}
	if n == 0 {
		return true // nothing has to be there
	}
	w.acks = w.acks[n-1:]
	last := w.acks[0].id
	return outcome == readFound && id.of() == last.of() && id.later(last)
}

// lastEvidence is the newest sign of life of any other region.
func (a *agent) lastEvidence() (at int64, of string) {
	at = never
	for _, m := range a.p.others() {
		if a.evidence[m] > at {
			at, of = a.evidence[m], m
		}
	}
	return at, of
}

// raise is the beginning of a candidacy, or of a new one in its place.
func (a *agent) raise(t transitionAction) {
	a.epoch = t.Epoch
	if t.From != candidate {
		a.c.want(a.gone(), "raise-fenced", a.name, func() string { return "it raises its flag, and " + a.notGone() })
		a.wantConfirmed(a.confirmed(), "raises its flag")
		a.wantCleared("raises its flag")
		a.wantSameSafety("raises its flag")
	}
	a.wantEpochAbove()
}

// gone reports whether its own authority is, on disk too, and its layers are known to be inactive (§4).
func (a *agent) gone() bool { return a.fenced && !a.stands() && a.now >= a.disk.until() }

func (a *agent) notGone() string {
	return fmt.Sprintf("its layers are known to be inactive: %v; it holds authority: %v; up to %d some may be on disk", a.fenced, a.stands(), a.disk.until())
}

func (a *agent) wantEpochAbove() {
	a.c.want(a.epoch > a.highest, "epoch-above", a.name, func() string {
		return fmt.Sprintf("its epoch is %d, and it has seen %d of %s", a.epoch, a.highest, a.whose)
	})
}

// wantSameSafety looks at what the others' info records say: safety parameters agree where they do at most of the witnesses (§3).
func (a *agent) wantSameSafety(what string) {
	for _, m := range a.p.others() {
		differs, agree := false, 0
		for _, w := range a.at {
			differs = differs || w.differs[m]
			if w.known[m] && !w.differs[m] {
				agree++
			}
		}
		a.c.want(!differs || agree >= a.majority(), "same-safety", a.name, func() string {
			return fmt.Sprintf("it %s, and the safety parameters of %s differ: they agree at %d of %d witnesses", what, m, agree, len(a.at))
		})
	}
}

// take is a region that becomes active with authority until a deadline, by the witness or by pledges.
func (a *agent) take(deadline int64) {
	a.c.takes++
	a.wantConfirmed(a.confirmed(), "takes")
	a.wantCleared("takes")
	a.c.want(a.gone(), "raise-fenced", a.name, func() string { return "it takes, and " + a.notGone() })
	a.wantSameSafety("takes")
	a.wantEpochAbove()
	base, by := a.flagBase(false), "flags"
	if a.begins == "pledged" {
		base, by = a.pledgeBase(false), "pledges"
		a.takeByPledges()
	} else {
		a.takeByWitness()
	}
	a.c.want(deadline <= base+a.p.TTL, "from-sending", a.name, func() string {
		return fmt.Sprintf("it takes until %d, TTL after %d; the base, %s, was sent at %s", deadline, deadline-a.p.TTL, by, told(base))
	})
	a.order, a.orders, a.fenced = 0, false, false
	a.hold(deadline)
}

// nth is the nth of some times, from the earliest.
func nth(n int, of []int64) int64 {
	slices.Sort(of)
	return of[n-1]
}

// takeByWitness looks at the reads by which a candidate takes (§3, take): of one majority of the witnesses each passes
// all.
func (a *agent) takeByWitness() {
	evidence, of := a.lastEvidence()
	var firsts []int64
	for _, w := range a.at {
		if first := int64(-never); w.flags.epoch == a.epoch {
			firsts = append(firsts, w.flags.first)
		} else {
			firsts = append(firsts, first)
		}
	}
	stood := nth(a.majority(), firsts)
	passed := map[string]int{}
	var due []int64
	for _, w := range a.at {
		waited, settled := evidence+a.p.longer(a.p.TTL+w.bound), stood+a.p.longer(w.bound)
		due = append(due, max(waited, settled))
		all := true
		pass := func(name string, ok bool) {
			all = all && ok
			if ok {
				passed[name]++
			}
		}
		pass("evidence-wait", w.whole && w.round.sent >= waited)
		pass("settled", w.whole && w.round.sent >= settled)
		pass("read-back", w.whole && w.back)
		pass("peers-known", !slices.ContainsFunc(a.p.others(), func(m string) bool { return !w.known[m] && !slices.Contains(a.p.KnownAbsent, m) }))
		if all && !slices.ContainsFunc(a.p.others(), func(m string) bool { return w.differs[m] }) {
			passed["same-witnesses"]++
		}
	}
	for _, name := range []string{"evidence-wait", "settled", "read-back", "peers-known", "same-witnesses"} {
		a.c.want(passed[name] >= a.majority(), name, a.name, func() string {
			why := fmt.Sprintf("it takes by the witness; only %d of %d pass; its flag stood first at %s, the last evidence is of %s, at %s; the last whole reads were sent at", passed[name], len(a.at), told(stood), of, told(evidence))
			for _, w := range a.at {
				if !w.whole {
					w.round.sent = never
				}
				why += " " + told(w.round.sent)
			}
			return why
		})
	}
	if a.p.Quorum {
		a.wantVeto(nth(a.majority(), due) - a.p.RequestTimeout)
	}
}
