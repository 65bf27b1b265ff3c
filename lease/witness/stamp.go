package witness

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"
)

// A Stamp is what a region says of its writing beside a flag, so that others can find out how stale what they read is
// (Watch). Nothing is decided by it, so one that makes no sense is none: the flag counts all the same. Its times are
// those of the writer's clock since its incarnation began, which the flag's write id names.
type Stamp struct {
	Attempt uint64        `json:"attempt"`        // counts the incarnation's writes of this register, from 1; one is in flight at a time
	Sent    time.Duration `json:"sent_ns"`        // no later than this one was
	Acks    []Ack         `json:"acks,omitempty"` // of attempts before it, the oldest first
}

// An Ack says when an attempt was known to have been acknowledged.
type Ack struct {
	Attempt uint64        `json:"n"`
	Lost    uint64        `json:"lost,omitempty"` // how many attempts up to this one were not acknowledged, or too late
	At      time.Duration `json:"at_ns"`
}

// maxAcks is how many a stamp has at most: of a write every 10 s they go back for eight minutes.
const maxAcks = 32

// parseStamp returns the stamp that raw holds; nil if that is none, or makes no sense.
func parseStamp(raw json.RawMessage) *Stamp {
	var s Stamp
	if len(raw) == 0 || json.Unmarshal(raw, &s) != nil || !s.valid() {
		return nil
	}
	return &s
}

// valid reports whether s is one that Writes could have made, with times that can be reckoned with.
func (s *Stamp) valid() bool {
	const century = 100 * 365 * 24 * time.Hour
	if s.Attempt == 0 || s.Sent < 0 || s.Sent > century || len(s.Acks) > maxAcks {
		return false
	}
	var last Ack
	for _, a := range s.Acks {
		if a.Attempt <= last.Attempt || a.Lost < last.Lost || a.Lost-last.Lost >= a.Attempt-last.Attempt || a.At < last.At {
			return false
		}
		last = a
	}
	return last.Attempt < s.Attempt && last.At <= s.Sent
}

// status says whether an attempt is known to have been acknowledged, and which of Acks is the first of a later one;
// their number if none is.
//
// Only an attempt that was acknowledged before the next one began tells anything: one whose answer was lost may have
// landed on top of those after it, and lie there still.
func (s *Stamp) status(attempt uint64) (acked bool, next int) {
	next, found := slices.BinarySearchFunc(s.Acks, attempt, func(a Ack, n uint64) int { return cmp.Compare(a.Attempt, n) })
	if found {
		return true, next + 1
	}
	if next == len(s.Acks) {
		return false, next
	}
	var before Ack
	if next > 0 {
		before = s.Acks[next-1]
	}
	return before.Lost == s.Acks[next].Lost, next // none of those between was lost
}

// Writes is what a writer knows of its attempts to write one register. The zero value is ready.
type Writes struct {
	attempt uint64
	acked   uint64
	acks    []Ack
}

// Begin returns the stamp of the next attempt, which is sent after now.
func (w *Writes) Begin(now time.Duration) *Stamp {
	w.attempt++
	return &Stamp{Attempt: w.attempt, Sent: now, Acks: slices.Clone(w.acks)}
}

// Acked notes that an attempt was acknowledged, and is known to be now. An answer that comes when the next one has begun
// is late: the two may have landed in either order.
func (w *Writes) Acked(attempt uint64, now time.Duration) {
	if attempt != w.attempt || len(w.acks) > 0 && w.acks[len(w.acks)-1].Attempt == attempt {
		return
	}
	w.acked++
	w.acks = append(w.acks, Ack{attempt, attempt - w.acked, now})
	w.thin(now)
}

// thin drops what is of little use: of acknowledgements that are close together for their age only some stay, so that
// a read is found to be as stale as it was but for an eighth of the time since.
func (w *Writes) thin(now time.Duration) {
	for i := 1; i+1 < len(w.acks); {
		if before, after := w.acks[i-1].At, w.acks[i+1].At; after-before <= (now-after)/8 {
			w.acks = slices.Delete(w.acks, i, i+1)
		} else {
			i++
		}
	}
	if len(w.acks) > maxAcks {
		w.acks = slices.Delete(w.acks, 0, 1)
	}
}

// Known is what is known of all attempts so far, as the stamp of the next one would have it.
func (w *Writes) Known(now time.Duration) *Stamp {
	return &Stamp{Attempt: w.attempt + 1, Sent: now, Acks: slices.Clone(w.acks)}
}
