package witness

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Writer is one incarnation of a region's agent, with a clock and a count of attempts of its own.
type Writer struct {
	Region      lease.Region
	Incarnation uint64
}

// Remembered is for how long a Watch remembers a read.
const Remembered = 10 * time.Minute

// A Watch finds out how stale the flags are that one reader reads at one witness, its own and those of others. It knows
// no clock that the regions share, and needs none: a record that its writer sent at T was read by some time R of the
// reader's, so whatever the writer had seen by T was so by R. Of all records read it takes what says most, and counts
// drift in (§2). So a read that returned a record, and was sent later than R, after a newer record's acknowledgement was
// known to the writer by T, was stale by the difference at least.
//
// What it finds is a lower bound, whatever the delays, however the clocks are set, and whatever became of writes: it is
// wrong only if a clock drifts by more than was said, or a write has landed twice. It finds nothing of a record before a
// newer one has been read that tells of it, and nothing ever of a record whose own acknowledgement was lost, since that
// may have landed late.
//
// Its methods do no I/O, and must not be called at once.
type Watch struct {
	drift float64
	of    map[Writer]*watched
}

// watched is what is known of one writer.
type watched struct {
	heard  lease.Instant // of it last
	newest Stamp
	pairs  []pair
	reads  []read // by attempt
}

// A pair says that a writer's clock showed sent before the reader's showed by.
type pair struct {
	sent time.Duration
	by   lease.Instant
}

// A read is the newest read that returned an attempt's record.
type read struct {
	attempt uint64
	sent    lease.Instant
	stale   time.Duration // at least
}

// NewWatch returns a watch over clocks that each go wrong by a ratio of no more than maxDrift.
func NewWatch(maxDrift float64) *Watch { return &Watch{drift: maxDrift, of: map[Writer]*watched{}} }

// Read takes a read in that was sent at a time and answered by another, and returned a record with a stamp.
func (w *Watch) Read(by Writer, s *Stamp, sent, answered lease.Instant) {
	k := w.learn(by, s, answered)
	i, found := slices.BinarySearchFunc(k.reads, s.Attempt, func(r read, n uint64) int { return cmp.Compare(r.attempt, n) })
	if !found {
		k.reads = slices.Insert(k.reads, i, read{attempt: s.Attempt})
	}
	k.reads[i].sent = max(k.reads[i].sent, sent)
	w.judge(k)
}

// Told takes in what a writer says, by some time, in another way than by a record that was read.
func (w *Watch) Told(by Writer, s *Stamp, at lease.Instant) { w.judge(w.learn(by, s, at)) }

// Stalest is by how much, at least, the stalest read of a region's flag was stale, of those sent within Remembered
// before now that returned one that could be judged; 0 if none was.
func (w *Watch) Stalest(region lease.Region, now lease.Instant) (stalest time.Duration) {
	w.forget(now)
	for by, k := range w.of {
		for _, r := range k.reads {
			if by.Region == region {
				stalest = max(stalest, r.stale)
			}
		}
	}
	return stalest
}

// forget drops what was long ago.
func (w *Watch) forget(now lease.Instant) {
	old := now.Add(-Remembered)
	for by, k := range w.of {
		k.reads = slices.DeleteFunc(k.reads, func(r read) bool { return r.sent < old })
		if k.heard < old {
			delete(w.of, by)
		}
	}
}

// learn takes in what a stamp tells of its writer, by a time.
func (w *Watch) learn(by Writer, s *Stamp, at lease.Instant) *watched {
	w.forget(at)
	k := w.of[by]
	if k == nil {
		k = &watched{heard: at}
		w.of[by] = k
	}
	k.heard = max(k.heard, at)
	if s.Attempt > k.newest.Attempt {
		k.newest = *s
	}
	k.add(pair{s.Sent, at}, at.Add(-Remembered))
	return k
}

// add takes a pair in, unless another one says more of all that comes after both.
func (k *watched) add(p pair, old lease.Instant) {
	less := func(p, q pair) bool { return p.sent <= q.sent && p.by.Sub(q.by) >= p.sent-q.sent }
	if slices.ContainsFunc(k.pairs, func(q pair) bool { return less(p, q) }) {
		return
	}
	k.pairs = append(slices.DeleteFunc(k.pairs, func(q pair) bool { return q.by < old || less(q, p) }), p)
}

// judge has each read be as stale as is known by now.
func (w *Watch) judge(k *watched) {
	acks := k.newest.Acks
	seen := make([]lease.Instant, len(acks)) // by when, on the reader's clock, the writer knew of each
	for i, a := range acks {
		seen[i] = lease.Never
		for _, p := range k.pairs {
			seen[i] = min(seen[i], p.by+w.converted(a.At-p.sent))
		}
	}
	for i := range k.reads {
		r := &k.reads[i]
		if acked, next := k.newest.status(r.attempt); acked && next < len(acks) {
			r.stale = max(r.stale, r.sent.Sub(seen[next]))
		}
	}
}

// converted is the most that a clock can show to have passed while another one shows d: negative for a time before.
func (w *Watch) converted(d time.Duration) lease.Instant {
	rate := (1 + w.drift) / (1 - w.drift)
	if d < 0 {
		rate = 1 / rate
	}
	return lease.Instant(math.Ceil(float64(d) * rate))
}
