// Package gap finds out for how long no region was active, as far as one region can know: from what its
// lease is told, step by step.
//
// A region knows by words that another one is active: a record in the witness that it has not seen before,
// or an answer through the quorum. Who has taken over knows when the newest word came, and how old it can
// have been then; who was active knows when it began to fence, and when the first word of the next one
// came. Both are bounds from above: what was so between two words nobody can say. Active is meant as of the
// lease: layers follow, each in its time.
//
// It decides nothing.
package gap

import (
	"bytes"
	"fmt"
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Gap is a time in which no region is known to have been active.
type Gap struct {
	Before lease.Region `json:"before,omitempty"` // who is known to have been active last; empty: nobody is
	After  lease.Region `json:"after"`            // who was next
	Epoch  uint64       `json:"epoch"`            // for which

	// Since is, where this region has become active, the time since the newest word that Before was, or, if that
	// is itself, since it began to fence, or stood still and did not; where another has, from then until the first word of it.
	Since float64 `json:"since_seconds"`

	// AtMost is for how long no region was active, at most; nil where that can't be said: nobody knows how
	// old the first word was, and a start forgets all before it.
	AtMost *float64 `json:"at_most_seconds,omitempty"`
}

// Text says it in a sentence for people, in a region.
func (g *Gap) Text(in lease.Region) string {
	switch {
	case g.Before == "":
		return "nobody is known to have been active before"
	case g.AtMost == nil:
		return fmt.Sprintf("the newest word that %s was active came %.2f s before, and how old it was is not known", g.Before, g.Since)
	}
	text := fmt.Sprintf("no region was active for at most %.2f s: ", *g.AtMost)
	switch {
	case g.Before == g.After:
		return text + "since this one was"
	case g.Before == in:
		return text + fmt.Sprintf("then came the first word that %s was, for epoch %d", g.After, g.Epoch)
	}
	text += fmt.Sprintf("the newest word that %s was came %.2f s before", g.Before, g.Since)
	if old := *g.AtMost - g.Since; old >= 0.01 {
		text += fmt.Sprintf(", and was up to %.2f s old", old)
	}
	return text
}

// held is who was active last, as far as is known.
type held struct {
	region lease.Region
	epoch  uint64
	word   lease.Instant // when the newest word of it came; of this region's own: until when it was active
	from   lease.Instant // it was active then, or later; Never if that can't be said
}

// A register is that of a region's flag in one of the witnesses.
type register struct {
	witness int
	of      lease.Region
}

// A Finder follows one region's lease. It belongs to one goroutine.
type Finder struct {
	self      lease.Region
	members   []lease.Region
	staleness time.Duration // of the witness that may be the stalest
	fence     time.Duration // lease.fence_timeout

	last    held
	active  bool                             // this region is
	until   lease.Instant                    // it fences then at the latest, unless it stands still
	lost    *Gap                             // began when this region began to fence, and nobody is known to have been active since
	lostAt  lease.Instant                    // when it began
	asked   map[lease.ActionID]lease.Instant // rounds and questions that are under way
	before  map[register]lease.Instant       // when the last round was asked for in which a region's flag could be read
	written map[lease.Region][]lease.WriteID // of the newest flags that came, the newest last
}

// New returns the finder of a region whose lease begins.
func New(p *lease.Params) *Finder {
	return &Finder{
		self: p.Region, members: p.Members, staleness: p.Staleness, fence: p.FenceTimeout, asked: map[lease.ActionID]lease.Instant{},
		before: map[register]lease.Instant{}, written: map[lease.Region][]lease.WriteID{},
	}
}

// Step takes a step of the lease in. It returns the gap that ends with it, if one does: this region has become
// active, or the first word has come that another one is, since this one was.
func (f *Finder) Step(now lease.Instant, ev lease.Event, actions []lease.Action) *Gap {
	ended := f.hear(now, ev)
	if f.active && now <= f.until { // else it has stood still since the step before, and its dead-man gate may have too
		f.last.word, f.last.from = now, now
	}
	for _, action := range actions {
		switch a := action.(type) {
		case lease.ReadRound:
			f.asked[a.ID] = now
		case lease.Ask:
			f.asked[a.ID] = now
		case lease.Activate:
			f.until = a.Deadline.Add(-f.fence)
		case lease.Extend:
			f.until = a.Deadline.Add(-f.fence)
		case lease.Transition:
			if gap := f.transition(now, a); gap != nil {
				ended = gap
			}
		}
	}
	return ended
}

// transition takes a change of this region's state in.
func (f *Finder) transition(now lease.Instant, t lease.Transition) (ended *Gap) {
	switch {
	case t.To == lease.Active:
		if goesOn := t.Reason == lease.ReasonResumed || t.Reason == lease.ReasonInherited || t.Reason == lease.ReasonRenewed; !goesOn {
			ended = &Gap{Before: f.last.region, After: f.self, Epoch: t.Epoch}
			if f.last.region != "" {
				ended.Since = now.Sub(f.last.word).Seconds()
				ended.AtMost = most(now, f.last.from)
			}
		}
		f.active, f.lost, f.until = true, nil, now
		f.last = held{f.self, t.Epoch, now, now}
	case t.From == lease.Active:
		f.active = false
		if t.To == lease.Fencing { // and not a follower, which leaves authority to another instance
			f.lost, f.lostAt = &Gap{Before: f.self}, f.last.word
		}
	}
	return ended
}

// most is the time since an instant; nil if that is Never.
func most(now, from lease.Instant) *float64 {
	if from == lease.Never {
		return nil
	}
	s := now.Sub(from).Seconds()
	return &s
}

// hear takes in what the lease is told of other regions.
func (f *Finder) hear(now lease.Instant, ev lease.Event) (ended *Gap) {
	switch ev := ev.(type) {
	case lease.RoundRead:
		asked, known := f.asked[ev.ID]
		delete(f.asked, ev.ID)
		for i, r := range ev.Flags {
			if i >= len(f.members) || f.members[i] == f.self || r.Outcome != lease.ReadFound && r.Outcome != lease.ReadMissing {
				continue
			}
			m := f.members[i]
			if r.Outcome == lease.ReadFound && f.isNew(m, r.Flag.WriteID) {
				// The round before would have had it, had it been written earlier than a stale read can hide.
				from := lease.Never
				if before, read := f.before[register{ev.Witness, m}]; read {
					from = before.Add(-f.staleness)
				}
				if r.Flag.State == lease.FlagActive {
					ended = f.word(held{m, r.Flag.Epoch, now, from})
				}
			}
			if known {
				f.before[register{ev.Witness, m}] = asked
			}
		}
	case lease.Answered:
		asked, known := f.asked[ev.ID]
		delete(f.asked, ev.ID)
		if ev.Reached && ev.Answer.Authority && ev.Answer.State == lease.Active && known {
			ended = f.word(held{ev.From, ev.Answer.Epoch, now, asked})
		}
	}
	return ended
}

// remembered is how many flags of a region are told from new ones: a store may return an old one again.
const remembered = 32

// isNew reports whether a flag is newer than those that came, and remembers it.
func (f *Finder) isNew(of lease.Region, id lease.WriteID) bool {
	all := f.written[of]
	if slices.Contains(all, id) {
		return false
	}
	if n := len(all); n > 0 && all[n-1].Incarnation() == id.Incarnation() && bytes.Compare(id[:], all[n-1][:]) < 0 {
		return false
	}
	f.written[of] = append(all[max(0, len(all)-remembered+1):], id)
	return true
}

// word takes in that another region is active.
func (f *Finder) word(of held) (ended *Gap) {
	if of.epoch < f.last.epoch || of.epoch == f.last.epoch && of.region != f.last.region {
		return nil // an old one
	}
	if of.region == f.last.region && of.epoch == f.last.epoch && f.last.from != lease.Never && (of.from == lease.Never || of.from < f.last.from) {
		of.from = f.last.from
	}
	f.last = of
	if f.lost == nil {
		return nil
	}
	ended, f.lost = f.lost, nil
	ended.After, ended.Epoch, ended.Since = of.region, of.epoch, of.word.Sub(f.lostAt).Seconds()
	ended.AtMost = most(of.word, f.lostAt)
	return ended
}
