package lease

import "time"

// A Decision is what stands between two Steps. State.Gates, State.Peers and
// State.Alarms tell the rest of it; they are apart as few callers want them at
// every step.
type Decision struct {
	Now       Instant // of the Step
	State     StateName
	Since     Instant
	Reason    ReasonCode // why it is in this state
	Epoch     uint64     // of its authority or candidacy; 0 for neither
	Authority bool       // until Deadline and no longer (§2)
	Deadline  Instant
	// FenceAt is when fencing starts unless authority is extended; Never without authority. Of a
	// follower: by what it can prove of the region's authority.
	FenceAt Instant

	Holder         Region // the last known holder, this region or another; empty if none is known
	LayersFenced   bool   // all layers are known to be inactive
	LayersActive   bool   // all layers are known to be active
	Degraded       bool   // another region should be active rather than this one
	Term           uint64 // that this instance acts under; 0 if it follows, or is the only one of its region (§5)
	Leader         string // the instance that acts for the region, as far as is known
	Confirmed      bool   // it knows that it alone acts for the region
	Heir           bool   // it follows, and can prove the region's authority, or could if that began now: it can act in the other's place (§5)
	Mode           Mode
	PausedUntil    Instant // an operator has it decide nothing by itself until then, if that is not past
	PermittedUntil Instant // an operator has said that it may take, or hand over, until then, if that is not past
	Request        Request // for an operator's approval; the zero value if there is none
	Stopping       bool    // a Release was asked for
	Released       bool    // a Release is through: fenced, and authority given up on disk too

	// Wake is when Step is due at the latest, with a Tick if nothing else
	// happened.
	Wake Instant
	// Staleness is by how much, at least, the newest read of the own flag was
	// stale, at the stalest of the witnesses. Over the bound of that, NoticeWitnessStale holds.
	Staleness time.Duration
}

// Gates are the conditions of raising the flag and of taking, by either path,
// each with whether it holds now. They are what the machine itself acts by.
func (s *State) Gates() []Gate {
	gates := s.takeGates(nil)
	if s.p.Quorum {
		gates = s.quorumGates(gates)
	}
	return gates
}

// decide describes what stands.
func (s *State) decide() Decision {
	d := Decision{
		Now: s.now, State: s.name, Since: s.since, Reason: s.reason,
		Epoch: s.epoch, Authority: s.authority, Deadline: s.deadline, FenceAt: Never,
		LayersFenced: s.layers.fenced, LayersActive: s.layers.active,
		Degraded: s.health.degraded,
		Stopping: s.stopping,
		Mode:     s.p.Mode, PausedUntil: s.consent.paused, PermittedUntil: s.consent.until, Request: s.consent.request,
		Term: s.term.held, Leader: s.term.record.Holder, Confirmed: s.confirmed(),
		Released: s.stopping && s.follows() && s.termGone() || s.stopping && s.name == Standby && s.now >= s.saved.deadline && s.handOver.to == nobody,
		Wake:     s.wake(),
	}
	for i := range s.witnesses {
		d.Staleness = max(d.Staleness, s.witnesses[i].reader.staleness)
	}
	switch {
	case s.authority:
		d.FenceAt = s.deadline.Add(-s.p.FenceTimeout)
	case s.follows():
		d.FenceAt, d.Heir = s.provable().Add(-s.p.FenceTimeout), s.heir()
	}
	if s.holder >= 0 {
		d.Holder = s.p.Members[s.holder]
	}
	return d
}

// wake is the earliest time at which something is due by itself.
func (s *State) wake() Instant {
	at := Never
	due := func(t Instant) {
		if t > s.now {
			at = min(at, t)
		}
	}
	if s.authority {
		due(s.deadline.Add(-s.p.FenceTimeout))
		due(s.deadline)
	}
	if s.name == Candidate {
		due(max(s.lastComplete(), s.since).Add(s.p.TTL))
		if s.raised() {
			until, _ := s.flagUntil()
			due(until)
		}
	}
	for i := range s.witnesses {
		s.dueWitness(&s.witnesses[i], due)
	}
	if s.layers.activateFor != 0 {
		due(s.layers.activateBy)
	}
	if !s.layers.fenced {
		due(s.layers.fenceBy)
	}
	due(s.saved.deadline)
	due(s.consent.until)
	due(s.consent.paused)
	due(s.quiet)
	due(s.outvotedAt())
	due(s.consent.request.Until)
	due(s.consent.fenced)
	if s.consent.request.Kind != "" {
		due(s.blipUntil())
	}
	if s.leaving() {
		due(s.limitOpensAt())
	}
	s.dueQuestions(due)
	s.dueTerm(due)
	return at
}

// dueWitness tells when something of a witness is due by itself.
func (s *State) dueWitness(w *witness, due func(Instant)) {
	switch {
	case w.own.inSeq != 0:
		due(w.own.inSent.Add(s.p.RequestTimeout) + 1)
	case s.writing():
		due(w.own.next)
	}
	for _, r := range w.reader.inFlight {
		due(r.by + 1)
	}
	due(w.reader.nextPoll)
	due(s.readDue(w))
	switch {
	case w.info.order != 0:
		due(w.info.by)
	default:
		due(s.infoDue(w))
	}
}

// A PeerView is what a region knows of another one.
type PeerView struct {
	Region   Region
	Known    bool      // its info record has been seen (§3, first start)
	Differs  []string  // safety parameters in which it differs
	State    FlagState // in its newest record; empty if none came
	Epoch    uint64    // the highest in its records
	Recorded Instant   // when its newest never-seen record came; Never if none did
	Evidence Instant   // its last sign of life
	Reached  bool      // the last question to it was answered through the quorum (§4)
	Said     Answer    // its last answer; the zero value if none came
	Answered Instant   // when that came; Never if none did
	Fenced   bool      // an operator has said that it is down and fenced (§4)
	Degraded []string  // why it is degraded, as its info record says; none if it is not
	Behind   []string  // what of its data is too far behind, as that says
	Mode     Mode      // as that says
	Paused   bool      // an operator has it decide nothing by itself, as that says
}

// Peers is what is known of the other regions, in the order of the members.
func (s *State) Peers() []PeerView {
	var views []PeerView
	for j, p := range s.peers {
		if j != s.self {
			views = append(views, PeerView{s.p.Members[j], s.most(p.known.at), p.differs, p.state, p.epoch, p.recorded, p.evidence, p.reached, p.said, p.saidAt, p.fenced, p.degraded, p.behind, p.mode, p.paused})
		}
	}
	return views
}
