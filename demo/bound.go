package demo

import (
	"time"

	"github.com/openova-io/failoverd/lease"
)

// clientAdds is what lies between the gap of authority, which the protocol bounds, and what the
// client sees: authority is on disk before the layer is active, and the client looks now and then:
// it may have seen the last answer one pause early, and the first one a pause late.
const clientAdds = " + save + 2 pauses"

// measured are the times that no parameter sets, as they were on this machine: the longest of
// each since the fault before.
type measured struct {
	roundTrip time.Duration // of a request to the witness
	question  time.Duration // through the quorum, until enough resolvers agree
	save      time.Duration // of authority, to disk
	pause     time.Duration // between two questions of the client
}

func (m measured) longer(n measured) measured {
	return measured{max(m.roundTrip, n.roundTrip), max(m.question, n.question), max(m.save, n.save), max(m.pause, n.pause)}
}

// A bound is how long nobody may answer, and why.
type bound struct {
	value   time.Duration
	formula string
}

// takeover bounds the gap when the active region answers no more from some moment on. The
// protocol counts from its last renewal, which was before that.
func (m measured) takeover(p lease.Params) bound {
	gap := named(p.Bounds(m.roundTrip), "longest gap, reads fresh")
	return m.seen(bound{gap.Value, gap.Formula})
}

// isolated bounds the gap when the active region can neither renew nor ask: it answers until it
// fences.
func (m measured) isolated(p lease.Params) bound {
	bounds := p.Bounds(m.roundTrip)
	gap, start := named(bounds, "longest gap, reads fresh"), named(bounds, "fencing starts")
	return m.seen(bound{gap.Value - start.Value, gap.Formula + " - (" + start.Formula + ")"})
}

// goesOn bounds the gap when nothing is to be noticed.
func (m measured) goesOn(lease.Params) bound { return m.seen(bound{0, "0: authority goes on"}) }

// restarted bounds the gap when the agent of the active region is gone for a while, and back
// before its deadline. Authority has none.
func (m measured) restarted(gone time.Duration) bound {
	return m.seen(bound{gone, "the time that the agent was gone for"})
}

// handedOver bounds the gap when the active region fences and another one takes over by pledges: the
// layer fences in no time, the disk has to know of it, one question tells the other region, and one
// gets it the pledges.
func (m measured) handedOver(lease.Params) bound {
	return m.seen(bound{m.save + 2*m.question, "save + 2 questions"})
}

// firstStart bounds the time until a group that starts for the first time has an active region. What
// it asks at once comes to nothing, as the others may not run yet; then it asks whether all would
// pledge, and for the pledges.
func (m measured) firstStart(p lease.Params) bound {
	return m.seen(bound{max(p.RequestTimeout, p.RetryInterval) + 2*m.question, "max(request_timeout, retry_interval) + 2 questions"})
}

func (m measured) seen(b bound) bound {
	return bound{b.value + m.save + 2*m.pause, b.formula + clientAdds}
}

func named(bounds []lease.Bound, name string) lease.Bound {
	for _, b := range bounds {
		if b.Name == name {
			return b
		}
	}
	panic("lease.Params.Bounds has no bound " + name)
}
