package main

import (
	"fmt"
	"slices"
)

// What docs/protocol.md §2 says: authority, and the layers.

// A disk is what may be on it of the own authority.
type disk struct {
	known   int64 // the deadline that is there
	pending []save
}

type save struct {
	id       uint64
	deadline int64
}

// saved notes what became of a write. One that failed may be there all the same.
func (d *disk) saved(id uint64, ok bool) {
	if !ok {
		return
	}
	for i, s := range d.pending {
		if s.id == id {
			d.known, d.pending = s.deadline, slices.Delete(d.pending, 0, i+1)
			return
		}
	}
}

// until is up to when a restart may go on with what is there.
func (d *disk) until() int64 {
	until := d.known
	for _, s := range d.pending {
		until = max(until, s.deadline)
	}
	return until
}

// save takes in that authority is put on disk: also the first word of its deadline, where a region takes.
func (a *agent) save(act saveAction) {
	s := act.Authority
	if a.begins != "" && s.Deadline > a.now {
		a.take(s.Deadline)
	}
	a.disk.pending = append(a.disk.pending, save{act.ID, s.Deadline})
	a.savedEpoch = max(a.savedEpoch, s.Epoch)
}

// stands reports whether it holds authority now.
func (a *agent) stands() bool { return a.held && a.now < a.deadline }

// hold notes that it holds authority until a deadline.
func (a *agent) hold(deadline int64) {
	a.held, a.deadline, a.ended, a.begins = true, deadline, false, ""
	a.end, a.before = a.when(deadline), max(a.before, deadline)
	a.c.holds(a)
}

// flagBase is the sending of the own flags of the epoch that a majority of the witnesses has acknowledged: the earliest
// among the newest of each (§1, §2).
func (a *agent) flagBase(onlyActive bool) int64 {
	var sent []int64
	for _, w := range a.at {
		s := int64(never)
		if w.flags.epoch == a.epoch {
			if s = w.flags.any; onlyActive {
				s = w.flags.active
			}
		}
		sent = append(sent, s)
	}
	slices.Sort(sent)
	return sent[len(sent)-a.majority()]
}

// extend moves the deadline on.
func (a *agent) extend(deadline int64) {
	a.c.extensions++
	a.c.want(a.stands(), "no-revival", a.name, func() string {
		return fmt.Sprintf("authority that ended at %d is extended at %d", a.deadline, a.now)
	})
	// It may have asked for pledges, and taken by the witness before all had come: they are for that epoch all the same.
	flag, pledges := a.flagBase(true), max(a.pledgeBase(true), a.pledgeBase(false))
	a.c.want(deadline <= max(flag, pledges)+a.p.TTL, "from-sending", a.name, func() string {
		return fmt.Sprintf("authority is extended to %d, TTL after %d; its flags were sent at %s, the questions of its pledges at %s", deadline, deadline-a.p.TTL, told(flag), told(pledges))
	})
	if deadline > flag+a.p.TTL {
		a.wantGiven()
	}
	a.hold(deadline)
}

// activate is an order to the layers, and where it goes on with authority that was there before, the first word of its
// deadline.
func (a *agent) activate(act orderAction) {
	if a.begins != "" {
		a.resume(act)
	}
	a.order, a.orders, a.fenced = act.ID, true, false
	a.c.terms[a.region] = max(a.c.terms[a.region], act.Term)
	a.c.want(a.stands() && act.Epoch == a.epoch && act.Deadline <= a.deadline, "activate-held", a.name, func() string {
		return fmt.Sprintf("layers are activated for epoch %d until %d; it holds authority: %v, for epoch %d, until %d", act.Epoch, act.Deadline, a.stands(), a.epoch, a.deadline)
	})
}

// wantFencing looks at what the layers are told when a step is done.
func (a *agent) wantFencing() {
	if a.orders {
		a.c.want(a.held && a.now < a.deadline-a.p.FenceTimeout, "fence-in-time", a.name, func() string {
			return fmt.Sprintf("its layers are to be active at %d, and its authority ends at %d", a.now, a.deadline)
		})
	}
}

// wantInactive looks at the layers when authority ends. Whoever was dead, frozen or cut off since fencing was due, or
// does not act for the region, could not see to them.
func (a *agent) wantInactive() {
	due := min(a.when(a.deadline-a.p.FenceTimeout), a.c.at)
	if !a.acts() || !a.free || a.freeSince > due || a.actsSince > due || a.c.terms[a.region] > a.term {
		return
	}
	a.c.want(!a.c.layers[a.region], "layers", a.name, func() string { return "a layer is active, and its authority has ended" })
}
