package sim

import (
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// region is an instance of a region's agent. Most regions have one.
type region struct {
	w      *world
	index  int // among all instances
	number int // of its region
	site   *site
	name   string
	params lease.Params

	clock    clock
	boot     int
	up       bool
	life     uint64 // counts the starts: an event for an earlier one is dropped
	frozen   bool
	inbox    []lease.Event  // what came while frozen
	undone   []lease.Action // of the step in whose middle it froze
	ticks    uint64         // generation of the timer
	state    *lease.State
	decision lease.Decision

	disk     lease.Authority
	diskFree Time // the disk takes one write after the other
	diskFull bool

	health    lease.Health
	handOvers []Time // for being degraded, of this life

	inForce   uint64 // the Fence or Activate
	disturbed Time   // the last time at which the agent was not free to run

	cutAPI  int // it can't reach its API server, counted
	cutTerm int // ... nor the record of its instances, counted

	cutReads, cutWrites int                  // links to the witness that are cut, counted
	garbling            int                  // what it writes can't be read by others
	keptDown            Time                 // by an operator's word, at least until here
	wordOf              *region              // that an operator has said to be fenced, until this one has renewed or died; nil if none
	cutAsking, cutAsked int                  // it can't ask, nor be asked, through the quorum, counted
	asked               map[uint64]*question // questions that it has not answered yet

	// The checker's view: authority in true time.
	holds bool
	epoch uint64
	until Time
	wrote Time // sending of its last write that lands
}

func newRegion(w *world, number int, s *site, instance string) *region {
	r := &region{w: w, index: len(w.regions), number: number, site: s, params: w.cfg.Params}
	if w.cfg.Faults.Operators { // instances of a region are configured alike
		r.params.Mode, r.params.ApprovalTimeout = lease.Modes[(int(w.cfg.Seed)+number)%len(lease.Modes)], 4*w.cfg.Params.TTL
	}
	r.params.Region, r.params.Instance = w.cfg.Params.Members[number], instance
	r.name = string(r.params.Region) + instance
	r.reboot()
	return r
}

// reboot gives the region a boot clock anew.
func (r *region) reboot() {
	r.boot++
	rho := r.params.MaxClockDrift
	rate := 1 + rho*(2*r.w.rng.Float64()-1)
	switch r.w.rng.IntN(3) { // extremes, often
	case 0:
		rate = 1 - rho
	case 1:
		rate = 1 + rho
	}
	offset := r.w.rng.Float64() * float64(r.w.cfg.Duration)
	r.clock = clock{offset: offset - rate*float64(r.w.now), rate: rate}
}

// start begins a life of the agent.
func (r *region) start() {
	r.up, r.frozen, r.inbox, r.undone, r.asked = true, false, nil, nil, map[uint64]*question{}
	r.state = lease.NewMutant(r.params, r.w.cfg.Without...).Strict()
	r.decision, r.handOvers = lease.Decision{}, nil
	r.disturbed = r.w.now
	r.w.trace("%s starts", r.name)
	r.observeStill()
	r.step(lease.Start{
		Incarnation: r.w.rng.Uint64(), BootID: string(rune('a' + r.boot%26)), Saved: r.disk,
	})
	if r.health.Degraded || len(r.health.Behind) > 0 {
		r.deliver(r.health)
	}
}

// crash ends it: memory is lost, the disk and the layers stay as they are.
func (r *region) crash() {
	r.life++
	r.up, r.frozen, r.inbox, r.undone, r.wordOf = false, false, nil, nil, nil
	r.disturbed = r.w.now
	if r.number == 0 && r.w.cfg.Faults.OtherTTL > 0 {
		r.params.TTL = r.w.cfg.Faults.OtherTTL // of its next life
	}
	r.w.trace("%s crashes", r.name)
	r.observeStill()
}

func (r *region) freeze(d time.Duration) {
	r.frozen, r.disturbed = true, r.w.now
	r.w.trace("%s freezes for %v", r.name, d)
	r.observeStill()
	r.w.schedule(happening{at: r.w.now.Add(d), kind: thaw, region: r.index, life: r.life})
}

// thaw goes on where the agent froze, in the middle of a step perhaps.
func (r *region) thaw() {
	if !r.frozen {
		return
	}
	r.frozen, r.disturbed = false, r.w.now
	r.w.trace("%s thaws", r.name)
	r.observeStill()
	undone, inbox := r.undone, r.inbox
	r.undone, r.inbox = nil, nil
	r.carryOut(undone)
	for _, ev := range append(inbox, lease.Tick{}) {
		r.deliver(ev)
	}
}

// deliver hands an event to the agent, now or when it thaws.
func (r *region) deliver(ev lease.Event) {
	switch {
	case !r.up:
	case r.frozen:
		r.inbox = append(r.inbox, ev)
	default:
		r.step(ev)
	}
}

func (r *region) step(ev lease.Event) {
	w := r.w
	now := r.clock.read(w.now)
	actions, decision := r.state.Step(now, ev)
	w.result.Steps++
	before := r.decision
	r.decision = decision
	if before.State == lease.Follower && !r.follows() {
		r.disturbed = w.now // it could not act before
	}
	if written, ok := ev.(lease.FlagWritten); ok && written.Acked && decision.Authority && decision.Deadline > before.Deadline {
		r.wordOf = nil
	}
	if w.cfg.Trace != nil {
		r.traceStep(now, ev, actions)
	}
	r.observeStep(now, ev, actions)
	w.checkAuthority(r, before, now)
	w.checkWord(r, before, now, ev)
	if decision.Released && !before.Released {
		w.checkReleased(r)
	}
	// Here, not when it is carried out: the agent may freeze in between.
	if decision.State == lease.Fencing && decision.Reason == lease.ReasonDegraded && before.State != lease.Fencing {
		w.checkHandOvers(r)
	}
	if w.cfg.Faults.CutGivers && before.State == lease.Active && decision.State == lease.Fencing && decision.Reason.Planned() {
		w.cutGiver(r)
	}
	r.carryOut(actions)
	r.ticks++
	w.schedule(happening{at: max(r.clock.when(decision.Wake), w.now+1), kind: tick, region: r.index, life: r.life, id: r.ticks})
	if decision.Released && w.cfg.Instances > 0 {
		w.crash(r, w.cfg.Params.FenceTimeout, false)
	}
}

// fencedByWord reports whether the agent goes by an operator's word that o is fenced.
func (r *region) fencedByWord(o *region) bool {
	return slices.ContainsFunc(r.state.Peers(), func(p lease.PeerView) bool { return p.Region == o.params.Region && p.Fenced })
}

// carryOut begins actions in order; in a chaotic world the agent may freeze
// between two of them.
func (r *region) carryOut(actions []lease.Action) {
	saving := false
	for i, a := range actions {
		if r.w.chaos && r.w.rng.IntN(2000) == 0 {
			r.undone = append(r.undone, actions[i:]...)
			r.freeze(r.w.upTo(3 * (r.params.TTL + r.params.Staleness)))
			return
		}
		if reply, ok := a.(lease.Reply); ok && saving {
			r.w.schedule(happening{at: r.diskFree, kind: replied, region: r.index, life: r.life, load: reply})
			continue
		}
		_, save := a.(lease.SaveAuthority)
		saving = saving || save
		r.carryOutOne(a)
	}
}

func (r *region) carryOutOne(a lease.Action) {
	w := r.w
	switch a := a.(type) {
	case lease.WriteFlag:
		w.result.Requests++
		w.write(r, a)
	case lease.ReadRound:
		w.result.Requests += len(r.params.Members)
		if a.Infos {
			w.result.Requests += len(r.params.Members)
		}
		w.readRound(r, a)
	case lease.Ask:
		w.ask(r, a)
	case lease.Reply:
		r.reply(a)
	case lease.WriteInfo:
		w.result.Requests++
		rec := record{present: true, info: a.Info, witness: a.Witness}
		if ok := r.cutWrites == 0 && !w.down && w.stores[a.Witness].takes(r.number); ok {
			w.schedule(happening{at: w.now, kind: infoLanding, region: r.index, load: rec})
			r.answerIn(w.trip(), lease.InfoWritten{ID: a.ID, Acked: true})
		} else {
			r.answerIn(w.trip(), lease.InfoWritten{ID: a.ID})
		}
	case lease.SaveAuthority:
		r.diskFree = max(r.diskFree, w.now).Add(w.upTo(20 * time.Millisecond))
		if !r.diskFull {
			// A dead agent writes no more: the next one waits for its lock.
			w.schedule(happening{at: r.diskFree, kind: diskWrite, region: r.index, life: r.life, load: a.Authority})
		}
		w.schedule(happening{at: r.diskFree, kind: answer, region: r.index, life: r.life, load: lease.AuthoritySaved{ID: a.ID, OK: !r.diskFull}})
	case lease.Activate:
		if r.inForce = uint64(a.ID); r.clock.read(w.now) >= a.Deadline {
			return
		}
		if a.Epoch >= w.maxEpoch {
			w.maxEpoch, w.maxEpochOf = a.Epoch, r
		}
		r.order(a.ID, a.Epoch, a.Term, true, w.upTo(r.params.FenceTimeout))
	case lease.Fence:
		r.order(a.ID, a.Epoch, a.Term, false, time.Duration((0.1+0.85*w.rng.Float64())*float64(r.params.FenceTimeout)))
	case lease.StandDown:
		r.inForce = 0
	case lease.ReadTerm:
		w.askTerm(r, termOp{id: a.ID})
	case lease.WriteTerm:
		w.askTerm(r, termOp{id: a.ID, write: &a})
	case lease.Transition:
		if a.To == lease.Candidate {
			w.flagRaised(r)
		}
	case lease.Notice:
		if a.Reason == lease.NoticeWitnessStale {
			w.result.StaleAlarms++
		}
	}
}

// answerIn brings an event to the agent after d.
func (r *region) answerIn(d time.Duration, ev lease.Event) {
	r.w.schedule(happening{at: r.w.now.Add(d), kind: answer, region: r.index, life: r.life, load: ev})
}
