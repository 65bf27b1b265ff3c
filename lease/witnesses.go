package lease

import (
	"fmt"
	"slices"
	"time"
)

// A group may keep its flags in several witnesses, so that the outage of one costs nothing (§1, several witnesses): a
// flag stands, and is renewed, when a majority of them has acknowledged it, and nobody is there when a majority shows
// nobody. Each is written and read on its own, so a slow one holds nothing up.

// maxWitnesses is how many there may be.
const maxWitnesses = 7

// WitnessParams are those of one of several witnesses.
type WitnessParams struct {
	Name      string        // the same in every region
	Staleness time.Duration // its own Δ
}

// witnesses are those of the group, one without a name where there are not several.
func (p Params) witnesses() []WitnessParams {
	if len(p.Witnesses) == 0 {
		return []WitnessParams{{Staleness: p.Staleness}}
	}
	return p.Witnesses
}

// witnessViolations are those of several witnesses.
func (p Params) witnessViolations(must func(ok bool, field, format string, args ...any)) {
	n := len(p.Witnesses)
	if n == 0 {
		return
	}
	must(n >= 3 && n%2 == 1 && n <= maxWitnesses, "witnesses", "found %d, want 3, 5 or %d: a majority of two is both, and of four it is three, so one more than an odd number adds nothing", n, maxWitnesses)
	longest := p.Witnesses[0].Staleness
	for i, w := range p.Witnesses {
		name, bound := fmt.Sprintf("witnesses[%d].name", i), fmt.Sprintf("witnesses[%d].staleness", i)
		must(w.Name != "", name, "%s is empty, want a name", name)
		must(!slices.ContainsFunc(p.Witnesses[:i], func(o WitnessParams) bool { return o.Name == w.Name }), name, "%s is %q, as that of another one: regions compare them by their names", name, w.Name)
		must(w.Staleness >= 0, bound, "%s = %v, want 0 or more", bound, w.Staleness)
		longest = max(longest, w.Staleness)
	}
	must(p.Staleness == longest, "witness.staleness", "witness.staleness = %v, want that of the stalest of the witnesses, %v", p.Staleness, longest)
}

// quickStaleness is the staleness bound that a majority of the witnesses keeps.
func (p Params) quickStaleness() time.Duration {
	var all []time.Duration
	for _, w := range p.witnesses() {
		all = append(all, w.Staleness)
	}
	slices.Sort(all)
	return all[len(all)/2]
}

// A witness is what is known of one of them.
type witness struct {
	number    int
	name      string // empty where there is one
	staleness time.Duration
	own       ownFlag
	reader    reader
	info      infoState
}

// forget is State.forget for one of them.
func (w *witness) forget() {
	w.own = ownFlag{seq: w.own.seq, last: w.own.last, wrote: w.own.wrote, round: w.own.round + 1}
	w.reader, w.info = reader{}, infoState{}
}

// A witnessSet is some of the witnesses, by number.
type witnessSet uint8

func (set witnessSet) at(w *witness) bool { return set&(1<<w.number) != 0 }

func (set *witnessSet) set(w *witness, in bool) {
	*set &^= 1 << w.number
	if in {
		*set |= 1 << w.number
	}
}

// majority is how many witnesses it takes.
func (s *State) majority() int {
	if !s.obeys(RuleMajority) {
		return max(1, len(s.witnesses)/2)
	}
	return len(s.witnesses)/2 + 1
}

// most reports whether something holds of a majority of the witnesses.
func (s *State) most(holds func(*witness) bool) bool {
	n := 0
	for i := range s.witnesses {
		if holds(&s.witnesses[i]) {
			n++
		}
	}
	return n >= s.majority()
}

// comes is when something has come to a majority of the witnesses that comes to each at a time.
func (s *State) comes(when func(*witness) Instant) Instant {
	at, _ := s.nth(s.majority(), when)
	return at
}

// lasts is until when something holds at a majority of the witnesses that holds at each until a time, and at which of
// them it ends then.
func (s *State) lasts(until func(*witness) Instant) (Instant, *witness) {
	return s.nth(len(s.witnesses)+1-s.majority(), until)
}

// nth is the nth time of those that the witnesses have, from the earliest, and whose it is.
func (s *State) nth(n int, of func(*witness) Instant) (Instant, *witness) {
	if len(s.witnesses) == 1 {
		w := &s.witnesses[0]
		return of(w), w
	}
	type timed struct {
		at Instant
		w  *witness
	}
	var all [maxWitnesses]timed
	sorted := all[:0]
	for i := range s.witnesses {
		t := timed{of(&s.witnesses[i]), &s.witnesses[i]}
		k := len(sorted)
		for k > 0 && sorted[k-1].at > t.at {
			k--
		}
		sorted = slices.Insert(sorted, k, t)
	}
	return sorted[n-1].at, sorted[n-1].w
}

// raised reports whether the own flag stands.
func (s *State) raised() bool { return s.most(func(w *witness) bool { return w.own.raised }) }

// firstAck is since when the own flag stands, if it does.
func (s *State) firstAck() Instant {
	return s.comes(func(w *witness) Instant {
		if !w.own.raised {
			return Never
		}
		return w.own.firstAck
	})
}

// flagUntil is until when the own flag is a base of authority, and the witness that sets that bound.
func (s *State) flagUntil() (Instant, *witness) {
	return s.lasts(func(w *witness) Instant { return w.own.until })
}

// failing reports whether the own flag can't be renewed.
func (s *State) failing() bool { return !s.most(func(w *witness) bool { return !w.own.failing }) }

// lastComplete is since when complete rounds of reads have been sent, the newest of each witness; -Never if there is
// none.
func (s *State) lastComplete() Instant {
	at, _ := s.lasts(func(w *witness) Instant { return w.reader.lastComplete() })
	return at
}

// completeSent is lastComplete for people: Never if there is none.
func (s *State) completeSent() Instant {
	if at := s.lastComplete(); at != -Never {
		return at
	}
	return Never
}

// A WitnessView is what is known of one of the witnesses.
type WitnessView struct {
	Name      string // empty where there is one
	Bound     time.Duration
	Staleness time.Duration // by how much, at least, the newest read of the own flag was stale
}

// Witnesses is what is known of each of them, in their order.
func (s *State) Witnesses() []WitnessView {
	views := make([]WitnessView, len(s.witnesses))
	for i, w := range s.witnesses {
		views[i] = WitnessView{Name: w.name, Bound: w.staleness, Staleness: w.reader.staleness}
	}
	return views
}
