package chaos

import (
	"slices"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// A Record is all that was seen of one region, in the order in which it happened.
type Record struct {
	Region      lease.Region     `json:"region"`
	Writes      []Write          `json:"writes"`
	Hooks       []daemon.HookRun `json:"hooks"`
	Transitions []Transition     `json:"transitions"`
	Faults      []Fault          `json:"faults"`
	Claims      []Claim          `json:"claims"`
}

// A Write is a flag that the region wrote and the witness answered, whether or not the region got the answer.
type Write struct {
	Arrived  lease.Instant   `json:"arrived"` // at the witness: no earlier than it was sent
	Answered lease.Instant   `json:"answered"`
	State    lease.FlagState `json:"state"`
	Epoch    uint64          `json:"epoch"`
}

// A Transition is an entry of the region's history. It is what the region thinks, and is believed only where that
// makes its authority begin earlier.
type Transition struct {
	At     lease.Instant    `json:"at"`
	From   lease.StateName  `json:"from"`
	To     lease.StateName  `json:"to"`
	Epoch  uint64           `json:"epoch"`
	Reason lease.ReasonCode `json:"reason"`
}

// A Fault is what the test did to the region.
type Fault struct {
	Kind FaultKind     `json:"kind"`
	From lease.Instant `json:"from"` // just before it
	To   lease.Instant `json:"to"`   // just before it was undone; Never while it is not
}

// A FaultKind says what can't be expected of a region.
type FaultKind string

const (
	Killed     FaultKind = "killed"     // no process
	Frozen     FaultKind = "frozen"     // a process that stands still
	Terminated FaultKind = "terminated" // asked to stop; it fences first
	Cut        FaultKind = "cut"        // off from the witness; it fences
)

// A Claim is a deadline that the region said it has: on disk, or in its status.
type Claim struct {
	Epoch    uint64        `json:"epoch"`
	Deadline lease.Instant `json:"deadline"` // at least
	Source   string        `json:"source"`
}

// A Span is a time, from From until before To.
type Span struct {
	Region lease.Region  `json:"region"`
	Epoch  uint64        `json:"epoch"`
	From   lease.Instant `json:"from"`
	To     lease.Instant `json:"to"`
}

// Authority returns the longest time for which the region can have held authority, by epoch.
func (r Record) Authority(ttl time.Duration) map[uint64]Span {
	spans := map[uint64]Span{}
	begins := func(epoch uint64, at lease.Instant) {
		if s, ok := spans[epoch]; !ok || at < s.From {
			spans[epoch] = Span{Region: r.Region, Epoch: epoch, From: at}
		}
	}
	for _, t := range r.Transitions {
		if t.To == lease.Active {
			begins(t.Epoch, t.At)
		}
	}
	for _, h := range r.Hooks {
		if h.Action == "activate" {
			begins(h.Epoch, h.At)
		}
	}
	for _, w := range r.Writes {
		if w.State == lease.FlagActive {
			begins(w.Epoch, w.Arrived)
		}
	}
	for epoch, s := range spans {
		s.To = r.deadline(epoch, ttl)
		spans[epoch] = s
	}
	return spans
}

// deadline is the latest end of authority that the writes of an epoch can have given: each counts from its arrival, and
// only if its answer came before the end that the ones before it gave (§2: what has passed is not extended). Without
// the latter, a write that a frozen region had sent before it froze, and that arrived after it thawed, would count. It is
// 0 if there was no write.
func (r Record) deadline(epoch uint64, ttl time.Duration) lease.Instant {
	var end lease.Instant
	for _, w := range r.Writes {
		if w.Epoch == epoch && (end == 0 || w.Answered < end) {
			end = max(end, w.Arrived.Add(ttl))
		}
	}
	return end
}

// Layers returns when the region's layer was active, less the known hole.
func (r Record) Layers(ttl time.Duration) []Span {
	var spans []Span
	for _, s := range r.allLayers() {
		pieces := []Span{s}
		for _, f := range r.Faults {
			if f.Kind != Killed && f.Kind != Frozen {
				continue
			}
			hole := Span{From: max(f.From, r.deadline(s.Epoch, ttl)), To: r.recovered(f)}
			pieces = subtract(pieces, hole)
		}
		spans = append(spans, pieces...)
	}
	return spans
}

// allLayers returns when the region's layer was active, the hole included: one span for each epoch, since the hole
// begins with the end of the epoch's authority.
func (r Record) allLayers() []Span {
	var spans []Span
	open := false
	for _, h := range r.Hooks {
		switch {
		case h.Action == "activate" && h.Phase == "begin":
			if open && spans[len(spans)-1].Epoch == h.Epoch {
				continue // run again, as after a restart
			}
			if open {
				spans[len(spans)-1].To = h.At
			}
			spans, open = append(spans, Span{r.Region, h.Epoch, h.At, lease.Never}), true
		case h.Action == "fence" && h.Phase == "end" && open:
			spans[len(spans)-1].To, open = h.At, false
		}
	}
	return spans
}

// recovered is when the first hook has ended that the region ran after a fault.
func (r Record) recovered(f Fault) lease.Instant {
	i := slices.IndexFunc(r.Hooks, func(h daemon.HookRun) bool { return h.Phase == "begin" && h.At >= f.To })
	if i < 0 {
		return lease.Never
	}
	j := slices.IndexFunc(r.Hooks[i:], func(h daemon.HookRun) bool { return h.Phase == "end" })
	if j < 0 {
		return lease.Never
	}
	return r.Hooks[i+j].At
}

// subtract cuts a hole out of spans.
func subtract(spans []Span, hole Span) []Span {
	var out []Span
	for _, s := range spans {
		if hole.From >= hole.To || hole.To <= s.From || s.To <= hole.From {
			out = append(out, s)
			continue
		}
		if s.From < hole.From {
			out = append(out, Span{s.Region, s.Epoch, s.From, hole.From})
		}
		if hole.To < s.To {
			out = append(out, Span{s.Region, s.Epoch, hole.To, s.To})
		}
	}
	return out
}
