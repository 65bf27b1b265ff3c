package sim

import (
	"math/rand/v2"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// record is what a register holds.
type record struct {
	present bool
	garbled bool
	flag    lease.Flag
	info    lease.Info
	witness int // that it is written to
}

// register is a single-writer register of the witness (§1).
type register struct {
	value record
	held  []record // writes that are on their way and will land late
}

// edges is how many caches a reader meets, at random: with more than one, reads
// are not monotonic.
const edges = 2

// cached is a copy of a register, as of its filling.
type cached struct {
	filled Time
	full   bool
	value  record
}

// store does everything that §1 allows, and, with a staleness above the
// declared bound, what it forbids.
type store struct {
	rng       *rand.Rand
	staleness time.Duration // true bound on staleness
	lazy      float64       // probability that a usable copy is served
	down      int           // for all, counted
	cut       []int         // for a region, counted
	noWrites  []bool        // of a region come here
	noReads   []bool        // ... nor reads
	oldInfo   bool          // info records stay what they are
	split     bool          // region 0 sees another namespace than the others
	flags     []register
	infos     []register
	caches    [][edges]cached // by reader, kind and register
	replicas  []replica       // by reader; nil unless every reader has a lagging replica
	ownFresh  bool            // which has the reader's own flag all the same
}

// replica is a copy of all flags at once: a whole store that lags.
type replica struct {
	filled Time
	full   bool
	flags  []record
}

func newStore(rng *rand.Rand, n int, replicas bool) *store {
	s := &store{
		rng: rng, lazy: 1, cut: make([]int, n), noWrites: make([]bool, n), noReads: make([]bool, n), flags: make([]register, n), infos: make([]register, n),
		caches: make([][edges]cached, 2*n*n),
	}
	if replicas {
		s.replicas = make([]replica, n)
	}
	return s
}

// read is a read by reader that was sent at sent and is served now: a copy that
// was filled no earlier than sent − staleness, misses included.
func (s *store) read(reader, owner int, info bool, sent, now Time) record {
	n := len(s.flags)
	regs, row := s.flags, 2*reader
	if info {
		regs, row = s.infos, 2*reader+1
	}
	switch {
	case s.split && (reader == 0) != (owner == 0):
		return record{}
	case s.staleness == 0, s.ownFresh && reader == owner:
		return regs[owner].value
	case s.replicas != nil && !info:
		r := &s.replicas[reader]
		if !r.full || r.filled.Add(s.staleness) < sent {
			*r = replica{filled: now, full: true, flags: make([]record, n)}
			for i := range s.flags {
				r.flags[i] = s.flags[i].value
			}
		}
		return r.flags[owner]
	}
	c := &s.caches[row*n+owner][s.rng.IntN(edges)]
	usable := c.full && c.filled.Add(s.staleness) >= sent
	if !usable || s.lazy < 1 && s.rng.Float64() >= s.lazy {
		*c = cached{filled: now, full: true, value: regs[owner].value}
	}
	return c.value
}

// away reports whether a region can't reach the store, whoever else can.
func (s *store) away(number int) bool { return s.down > 0 || s.cut[number] > 0 }

// takes and shows report whether what a region writes, or reads, gets through to the store.
func (s *store) takes(number int) bool { return !s.away(number) && !s.noWrites[number] }
func (s *store) shows(number int) bool { return !s.away(number) && !s.noReads[number] }

func (r record) flagRead() lease.FlagRead {
	switch {
	case !r.present:
		return lease.FlagRead{Outcome: lease.ReadMissing}
	case r.garbled:
		return lease.FlagRead{Outcome: lease.ReadMalformed, Flag: lease.Flag{WriteID: r.flag.WriteID}}
	}
	return lease.FlagRead{Outcome: lease.ReadFound, Flag: r.flag}
}

func (r record) infoRead() lease.InfoRead {
	if !r.present {
		return lease.InfoRead{Outcome: lease.ReadMissing}
	}
	return lease.InfoRead{Outcome: lease.ReadFound, Info: r.info}
}
