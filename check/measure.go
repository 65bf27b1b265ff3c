package check

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// Measured is how stale the reads of a witness were, from here.
type Measured struct {
	Witness  string   `json:"witness,omitempty"` // one of several
	Seconds  float64  `json:"seconds"`           // that it took
	Reads    int      `json:"reads"`             // that brought a record
	Failed   int      `json:"failed"`            // that brought an error
	Newer    int      `json:"newer"`             // times that a record was replaced by one that tells of it
	Stalest  float64  `json:"stalest_seconds"`   // of the stalest read, at least
	Bound    float64  `json:"bound_seconds"`     // that is declared
	Proposed *float64 `json:"proposed_seconds"`  // null if nothing can be said
}

// scratchWrites is how many writes of a scratch key a measurement makes for each renewal of an agent's.
const scratchWrites = 5

// cleanUpTime is how long the removal of a scratch key may take, after the end too.
const cleanUpTime = 10 * time.Second

// Measure reads the flags of all regions from each witness at every poll interval, as an agent does, for some time or
// until ctx ends, and proposes a bound for what it has seen. It writes where the store's self-test does, to a key of its
// own, which it reads too.
func Measure(ctx context.Context, cfg Config, d time.Duration) []Finding {
	l := &live{Config: cfg}
	found := make([]Finding, len(cfg.Witnesses))
	l.waiting = make([]string, len(cfg.Witnesses))
	var all sync.WaitGroup
	for i, w := range cfg.Witnesses {
		m := &measurement{live: l, number: i, witness: w, seen: witness.NewWatch(cfg.Params.MaxClockDrift), newest: map[witness.Writer]uint64{}}
		all.Go(func() { found[i] = m.run(ctx, d) })
	}
	all.Wait()
	l.tell(func() { l.waiting = nil })
	return found
}

// A measurement is that of one witness.
type measurement struct {
	*live
	number  int
	witness *witness.Witness
	Measured

	clock  bootclock.Clock
	began  lease.Instant
	seen   *witness.Watch
	of     string // the region whose flag was stalest; empty: the scratch key
	newest map[witness.Writer]uint64
	failed error // the last error of a read or of a write of the scratch key

	scratch *witness.Scratch // nil: the store is not written to
	writes  witness.Writes
	next    lease.Instant // a write of it
}

func (m *measurement) run(ctx context.Context, d time.Duration) Finding {
	m.began = m.clock.Now()
	m.Bound = m.staleness(m.number).Seconds()
	if len(m.Params.Witnesses) > 0 {
		m.Witness = m.Params.Witnesses[m.number].Name
	}
	if scratch, ok := m.witness.NewScratch(); ok {
		m.scratch = scratch
	}
	within, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	tick := time.NewTicker(m.Params.PollInterval)
	defer tick.Stop()
	for within.Err() == nil {
		m.readFlags(within)
		if m.scratch != nil {
			m.useScratch(within)
		}
		m.Seconds = m.clock.Now().Sub(m.began).Seconds()
		m.tell(func() {
			m.waiting[m.number] = fmt.Sprintf("the witness%s (%v more; %d reads, the stalest by %.1f s)",
				m.ofWitness(m.number), max(0, d-m.clock.Now().Sub(m.began)).Round(time.Second), m.Reads, m.Stalest)
		})
		select {
		case <-tick.C:
		case <-within.Done():
		}
	}
	f := m.finding()
	if left := m.removeScratch(ctx); left != nil {
		f.Got += fmt.Sprintf("; what it has written is still there: %v", left)
	}
	return f
}

// readFlags reads all flags once.
func (m *measurement) readFlags(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, m.Params.RequestTimeout)
	defer cancel()
	sent := m.clock.Now()
	round := m.witness.ReadRound(limited, false)
	answered := m.clock.Now()
	for i, read := range round.Flags {
		switch {
		case read.Outcome == lease.ReadUnknown:
			m.fails(ctx, round.FlagErrors[i])
		case read.Outcome == lease.ReadFound && round.Stamps[i] != nil:
			m.take(witness.Writer{Region: m.Params.Members[i], Incarnation: read.Flag.WriteID.Incarnation()}, round.Stamps[i], sent, answered)
		case read.Outcome == lease.ReadFound:
			m.Reads++
		}
	}
}

// scratchWriter is the one of the scratch key, who is no region.
var scratchWriter = witness.Writer{}

// useScratch writes the scratch key now and again, and reads it, also at once after a write was acknowledged.
func (m *measurement) useScratch(ctx context.Context) {
	if now := m.clock.Now(); now >= m.next {
		m.next = now.Add(max(m.Params.RenewInterval/scratchWrites, m.Params.RetryInterval))
		stamp := m.writes.Begin(now.Sub(m.began))
		limited, cancel := context.WithTimeout(ctx, m.Params.RequestTimeout)
		err := m.scratch.Write(limited, stamp)
		cancel()
		m.fails(ctx, err)
		if now = m.clock.Now(); err == nil {
			m.writes.Acked(stamp.Attempt, now.Sub(m.began))
			m.seen.Told(scratchWriter, m.writes.Known(now.Sub(m.began)), now)
		}
	}
	limited, cancel := context.WithTimeout(ctx, m.Params.RequestTimeout)
	defer cancel()
	sent := m.clock.Now()
	stamp, err := m.scratch.Read(limited)
	m.fails(ctx, err)
	if stamp != nil {
		m.take(scratchWriter, stamp, sent, m.clock.Now())
	}
}

// take takes a read in.
func (m *measurement) take(by witness.Writer, s *witness.Stamp, sent, answered lease.Instant) {
	m.Reads++
	if before, known := m.newest[by]; !known || s.Attempt > before {
		m.newest[by] = s.Attempt
		if known {
			m.Newer++
		}
	}
	m.seen.Read(by, s, sent, answered)
	if stale := m.seen.Stalest(by.Region, answered).Seconds(); stale > m.Stalest {
		m.Stalest, m.of = stale, string(by.Region)
	}
}

// fails notes what did not work, unless that was because the measurement had come to its end.
func (m *measurement) fails(ctx context.Context, err error) {
	if err != nil && ctx.Err() == nil {
		m.Failed, m.failed = m.Failed+1, err
	}
}

// removeScratch removes what was written, when ctx has ended too.
func (m *measurement) removeScratch(ctx context.Context) error {
	if m.scratch == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	return m.scratch.Remove(ctx)
}

// finding is what was measured, and the bound that it proposes.
func (m *measurement) finding() Finding {
	asked := "staleness of the witness" + m.ofWitness(m.number)
	f := Finding{Level: OK, Asked: asked, Measured: &m.Measured}
	f.Got = fmt.Sprintf("in %v %d reads, and %d records replaced by newer ones", time.Duration(m.Seconds*float64(time.Second)).Round(time.Second), m.Reads, m.Newer)
	if m.Failed > 0 {
		f.Got += fmt.Sprintf("; %d calls failed, the last one: %v", m.Failed, m.failed)
	}
	if m.Newer == 0 {
		f.Level = Warning
		f.Got += "; so nothing is known of how stale they were"
		f.Remedy = "ask again while a region of this version is active, for longer than several renew_intervals"
		return f
	}
	bound, stalest := m.staleness(m.number), time.Duration(m.Stalest*float64(time.Second))
	proposed := propose(stalest, m.least())
	seconds := proposed.Seconds()
	m.Proposed = &seconds
	if stalest == 0 {
		f.Got += "; none was seen to be stale"
	} else {
		of := "flag of " + m.of
		if m.of == "" {
			of = "key of this check's own"
		}
		f.Got += fmt.Sprintf("; the stalest, of the %s, was stale by %.1f s at least", of, m.Stalest)
	}
	why := "half as much again"
	if least := m.least(); least > 0 && proposed == least {
		why = "the least for this store"
	}
	f.Got += fmt.Sprintf("; proposed for witness.staleness: %v (%s); declared: %v", proposed, why, bound)
	switch raise := fmt.Sprintf("raise witness.staleness to %v in all regions, or use a linearizable witness", proposed); {
	case stalest > 0 && stalest >= m.Params.Longer(bound):
		f.Level, f.Remedy = Problem, raise
	case proposed > bound:
		f.Level, f.Remedy = Warning, raise
	}
	return f
}

// least is the least bound that the store may have.
func (m *measurement) least() time.Duration {
	if m.Least == nil {
		return 0
	}
	return m.Least[m.number]
}

// propose is the bound for what was seen: half as much again, in whole seconds, for what was not.
func propose(stalest, least time.Duration) time.Duration {
	return max(least, (stalest*3/2 + time.Second - 1).Truncate(time.Second))
}
