// Package sim runs the real lease machine of several regions in virtual time,
// against a world that does everything that the protocol allows for, and
// checks at every instant of true time that no two regions hold authority.
//
// One seed decides everything: clocks, links, the store's staleness, crashes,
// freezes and releases. The same Config gives the same Result, step by step.
// The simulator drives lease.State as the agent does: it carries out actions
// in order, brings outcomes back as events, and may stop in the middle of a
// step's actions.
package sim

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// Config is a simulated world.
type Config struct {
	Seed     uint64
	Duration time.Duration // of true time; faults end in time for authority to come back
	Params   lease.Params  // of every region but for Region
	Faults   Faults
	// Instances is how many each region has; 0 is one, which is elected by nobody.
	Instances int
	Without   []lease.Rule // rules that the regions leave out
	// Trace, if set, is told each thing that happens.
	Trace func(line string)
	// Observe, if set, is told what can be seen of the world from outside, in the order of true time.
	Observe func(Observation)
}

// Faults says what may go wrong.
type Faults struct {
	Chaos     bool          // crashes, freezes, cuts, outages, late and lost writes, disks: at random
	Duels     bool          // Chaos, with nothing but cuts, and crashes, of holders and candidates, one upon the other
	Operators bool          // Chaos, in regions of all modes, whose operators approve, deny, order and pause
	CutGivers bool          // Chaos, in which an instance that gives authority up by choice is cut off from its record then, and dies
	Flapping  bool          // Chaos, with regions that are degraded and recover, again and again
	Deaths    bool          // only that the holder dies, one death at a time: gaps must keep to Bounds
	RoundTrip time.Duration // the longest answer without a fault; 0: 200ms
	Lazy      float64       // how often a read is as stale as it may be; 0: always

	// What breaks an assumption of the protocol, to show what it carries.
	TrueStaleness time.Duration // of the store, if it is above Params.Staleness
	OwnFresh      bool          // ... though each region reads its own flag fresh, so that reading it back shows nothing
	Split         bool          // region 0 was given another namespace, of the last of several witnesses
	OtherTTL      time.Duration // region 0 is given another TTL when it starts anew
	Cripple       bool          // region 0 can write and not read once all faults have ended
	Outvoted      bool          // region 0 can write to, or read, most of several witnesses, and not the same, once all faults have ended
	OldInfo       bool          // at the first of several witnesses all info records stay those of another TTL
	WitnessGone   bool          // the witness stays down once all faults have ended
	QuorumGone    bool          // the quorum does
	LeakedKey     bool          // one resolver can sign as any region
	OneResolver   bool          // the answer of one resolver is enough
	KeepOn        bool          // do not stop at an overlap, but add overlaps up
}

// Result is what a run came to.
type Result struct {
	Violation   string        // empty if every invariant held
	At          Time          // of the violation
	Steps       int           // of all regions' machines
	Simulated   time.Duration // true time
	RegionHours float64
	Takes       int             // times that authority was acquired
	Faults      int             // faults drawn
	Requests    int             // that regions sent to the witnesses: a record is read or written by one
	HandOvers   int             // that a region began for being degraded
	Gaps        []time.Duration // Deaths: from the last renewal of the dead to the next authority, on the taker's clock
	Bound       time.Duration   // Deaths: of each gap
	StaleAlarms int             // notices that the witness is staler than its bound
	Held        time.Duration   // true time during which some region held authority
	Overlap     time.Duration   // KeepOn: true time during which two did, in all
}

// world is one run.
type world struct {
	cfg     Config
	rng     *rand.Rand
	now     Time
	end     Time
	queue   queue
	stores  []*store // one for each witness
	regions []*region
	chaos   bool // faults may still be drawn
	lossy   bool
	down    bool    // the witness, for all
	doomed  bool    // whoever takes next dies at once
	swept   bool    // ... and a moment later every one that acts
	muting  bool    // whoever raises its flag next is muted
	muted   *region // can't write until another raises its flag; nil if none

	questions    uint64
	required     int // resolvers that must agree
	forger       int // the resolver that forges; lost for none
	noQuorum     bool
	resolverDown [resolvers]int
	result       Result

	hidden     bool   // a record was unreadable, or a late one hid one of a higher epoch, or one is not on disk: that may have gone unseen
	maxEpoch   uint64 // for which layers were activated
	maxEpochOf *region
	covered    Time    // authority was held by someone until here
	doubled    Time    // ... and by two until here
	deadAt     Time    // Deaths: when the holder died; 0 if it lives
	dead       *region // ... and who it was
}

// Run simulates a world. It stops at the first violation.
func Run(cfg Config) Result {
	w := &world{cfg: cfg, rng: rand.New(rand.NewPCG(cfg.Seed, 0x9e3779b97f4a7c15))}
	if w.cfg.Faults.RoundTrip == 0 {
		w.cfg.Faults.RoundTrip = 200 * time.Millisecond
	}
	n := len(cfg.Params.Members)
	w.end = Time(cfg.Duration)
	bounds := []time.Duration{cfg.Params.Staleness}
	if len(cfg.Params.Witnesses) > 0 {
		bounds = bounds[:0]
		for _, p := range cfg.Params.Witnesses {
			bounds = append(bounds, p.Staleness)
		}
	}
	for i, bound := range bounds {
		s := newStore(w.rng, n, cfg.Faults.TrueStaleness > 0)
		s.staleness = max(bound, cfg.Faults.TrueStaleness)
		s.split, s.ownFresh = cfg.Faults.Split && i == len(bounds)-1, cfg.Faults.OwnFresh
		if cfg.Faults.Lazy > 0 {
			s.lazy = cfg.Faults.Lazy
		}
		if cfg.Faults.OldInfo && i == 0 {
			old := cfg.Params
			old.TTL *= 2
			for j := range s.infos {
				s.infos[j].value = record{present: true, info: lease.Info{Safety: old.Safety()}}
			}
			s.oldInfo = true
		}
		w.stores = append(w.stores, s)
	}
	w.required, w.forger = 2, lost
	if cfg.Faults.OneResolver {
		w.required = 1
	}
	if cfg.Faults.LeakedKey {
		w.forger = w.rng.IntN(resolvers)
	}
	w.result.Bound = cfg.Params.LongestGapStale(w.cfg.Faults.RoundTrip)
	for i := range n {
		s := &site{}
		for k := range max(1, cfg.Instances) {
			instance := ""
			if cfg.Instances > 0 {
				instance = string(rune('1' + k))
			}
			w.regions = append(w.regions, newRegion(w, i, s, instance))
		}
	}
	for _, r := range w.regions {
		r.life++
		w.schedule(happening{at: Time(w.upTo(3 * time.Second)), kind: restart, region: r.index, life: r.life})
	}
	w.chaos = cfg.Faults.Chaos
	if cfg.Faults.Chaos || cfg.Faults.Deaths {
		w.schedule(happening{at: Time(w.settling()), kind: nextFault})
	}
	if cfg.Faults.Flapping {
		for _, r := range w.regions {
			w.flap(r)
		}
	}
	if cfg.Faults.Operators {
		w.schedule(happening{at: Time(w.settling()), kind: mend, load: w.operate})
	}
	if cfg.Faults.Chaos {
		quietAt := max(0, w.end-Time(Recovery(cfg.Params))-1)
		w.schedule(happening{at: quietAt, kind: quiet})
		w.schedule(happening{at: quietAt.Add(Recovery(cfg.Params)), kind: judge})
	}
	for len(w.queue.heap) > 0 && w.result.Violation == "" {
		h := w.queue.pop()
		if h.at > w.end {
			w.now = w.end
			break
		}
		w.now = h.at
		w.happen(h)
	}
	w.result.Simulated = time.Duration(w.now)
	w.result.RegionHours = float64(n) * w.result.Simulated.Hours()
	return w.result
}

// settling is how long a first start, or the calm after a death, may take.
func (w *world) settling() time.Duration {
	p := w.cfg.Params
	return p.Longer(2*p.TTL+3*p.Staleness) + 10*time.Second
}

// Recovery is within what time authority comes back once all faults are over,
// from wherever the regions then are: the last evidence is seen a staleness
// late, every rank has its turn, and candidates that met yield and start over.
func Recovery(p lease.Params) time.Duration {
	ranks := time.Duration(len(p.Members)) * p.Turn()
	// Where regions have instances: one is elected, and is alone only after a while.
	elected := 10 * p.TermDuration
	return 2 * (p.Staleness + ranks + 3*p.Longer(p.TTL+p.Staleness) + 10*p.RequestTimeout + elected)
}

func (w *world) schedule(h happening) {
	h.at = max(h.at, w.now)
	w.queue.push(h)
}

func (w *world) happen(h happening) {
	var r *region
	if h.kind <= restart {
		r = w.regions[h.region]
		if h.life != 0 && h.life != r.life {
			return // for a life that is over
		}
	}
	switch h.kind {
	case tick:
		if h.id == r.ticks {
			r.deliver(lease.Tick{})
		}
	case answer:
		ev := h.load.(lease.Event)
		if read, ok := ev.(pendingRound); ok {
			ev = r.serve(read)
		}
		r.deliver(ev)
	case landing:
		if !h.ok || w.chaos { // ok: it was held up; the end of all faults is the end of that
			rec := h.load.(record)
			w.hidden = w.hidden || rec.flag.Epoch < w.stores[rec.witness].flags[r.number].value.flag.Epoch
			w.land(r, rec)
		}
	case infoLanding:
		rec := h.load.(record)
		if s := w.stores[rec.witness]; !s.oldInfo {
			s.infos[r.number].value = rec
		}
	case diskWrite:
		r.disk = h.load.(lease.Authority)
	case replied:
		if !r.frozen { // else it comes too late for anyone
			r.reply(h.load.(lease.Reply))
		}
	case layersDone:
		r.layersDone(h)
	case deadlineDue:
		w.checkLayers(r, h)
	case brought:
		w.bring(h.load.(*question), int(h.id))
	case ballot:
		w.vote(h)
	case thaw:
		r.thaw()
	case restart:
		w.restart(r)
	case mend:
		h.load.(func())()
	case termServed:
		w.serveTerm(h.load.(termOp))
	case nextFault:
		w.drawFault()
	case quiet:
		w.endFaults()
	case judge:
		w.judge()
	}
}

// land puts a write into its register; a write that was held up may land right
// on top of it.
func (w *world) land(r *region, rec record) {
	w.observeLanding(r, rec)
	reg := &w.stores[rec.witness].flags[r.number]
	reg.value = rec
	if len(reg.held) > 0 && w.rng.IntN(3) == 0 {
		late := reg.held[0]
		reg.held = reg.held[1:]
		w.schedule(happening{at: w.now.Add(w.upTo(time.Second)), kind: landing, region: r.index, ok: true, load: late})
		if w.chaos && w.rng.IntN(2) == 0 {
			w.cut(r, w.upTo(2*(w.cfg.Params.TTL+w.cfg.Params.Staleness)))
		}
	}
}

// upTo draws a duration below d, small ones more often.
func (w *world) upTo(d time.Duration) time.Duration {
	x := w.rng.Float64()
	return time.Duration(x * x * float64(d))
}

func (w *world) trace(format string, args ...any) {
	if w.cfg.Trace != nil {
		w.cfg.Trace(fmt.Sprintf("%12.6f  ", time.Duration(w.now).Seconds()) + fmt.Sprintf(format, args...))
	}
}

func (w *world) violation(format string, args ...any) {
	if w.result.Violation == "" {
		w.result.Violation, w.result.At = fmt.Sprintf(format, args...), w.now
		w.trace("VIOLATION: %s", w.result.Violation)
	}
}
