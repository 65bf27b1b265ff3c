package lease

import "time"

// A Mode says what a region decides by itself (§4, modes). None of them is in the way of fencing,
// renewing, or pledging to another region.
type Mode string

const (
	ModeAutomatic     Mode = "automatic"      // takes, and hands over while it is degraded
	ModeSemiAutomatic Mode = "semi-automatic" // prepares both, and waits for an operator's approval
	ModeManual        Mode = "manual"         // does neither without an operator's order
)

// Modes are all modes, those that act sooner first.
var Modes = []Mode{ModeAutomatic, ModeSemiAutomatic, ModeManual}

// consent is what operators have said to what this region is to decide (§4, modes).
type consent struct {
	until   Instant // it may take, or hand over
	epoch   uint64  // the highest that was known then: a later holder ends it
	paused  Instant // until then it does neither by itself, whatever its mode
	request Request
	seen    Instant // the last time at which that could have been done
	fenced  Instant // until then a region that an operator has said to be fenced counts as that, for one without authority
}

// A Request is for an operator's approval of what a semi-automatic region would do now (§4, modes).
// The zero value is none.
type Request struct {
	Kind  RequestKind
	Since Instant // it can be done
	Until Instant // then it is asked for anew
}

// A RequestKind is what would be done.
type RequestKind string

const (
	RequestTake     RequestKind = "take"
	RequestHandOver RequestKind = "hand-over"
)

// permitted reports whether an operator has said that this region is to take, or hand over.
func (s *State) permitted() bool { return s.now < s.consent.until }

func (s *State) paused() bool { return s.now < s.consent.paused }

// permit takes an operator's word that the region is to take, or hand over, in.
func (s *State) permit() {
	s.consent.until, s.consent.epoch, s.quiet = s.now.Add(s.p.ApprovalTimeout), s.highest, 0
}

// endConsent ends an operator's word: what it was for is done, by this region or another one.
func (s *State) endConsent() { s.consent.until = 0 }

// ownGates appends the gate of what this region may decide by itself, if it may not decide everything: an
// operator's word opens it.
func (s *State) ownGates(gates []Gate) []Gate {
	gate := Gate{Open: s.permitted(), Evidence: Never, OpensAt: Never}
	switch {
	case s.paused():
		gate.Code, gate.OpensAt = GateNotPaused, s.consent.paused
	case s.p.Mode == ModeManual:
		gate.Code = GateOrdered
	default:
		return gates
	}
	return append(gates, gate)
}

// approvalGates appends the gate of an approval, where one is needed.
func (s *State) approvalGates(gates []Gate) []Gate {
	if s.p.Mode != ModeSemiAutomatic {
		return gates
	}
	return append(gates, Gate{Code: GateApproved, Open: s.permitted(), Evidence: Never, OpensAt: Never})
}

// approved reports whether the region needs no approval, or has it.
func (s *State) approved() bool { return s.p.Mode != ModeSemiAutomatic || s.permitted() }

// ApproveGates are the conditions of an Approve, and of its denial: that the region asks for that.
func (s *State) ApproveGates(kind RequestKind) []Gate {
	return append([]Gate{
		commandGate(GateSemiAutomatic, s.p.Mode == ModeSemiAutomatic, s.p.Region),
		commandGate(GateRequested, s.consent.request.Kind != "" && s.consent.request.Kind == kind, s.p.Region),
	}, s.instanceAct()...)
}

// PauseGates are the conditions of a Pause: that this instance acts for the region.
func (s *State) PauseGates() []Gate { return s.instanceAct() }

// instanceAct is the gate of what only the instance can be told that acts for the region.
func (s *State) instanceAct() []Gate {
	if !s.shared() {
		return nil
	}
	return []Gate{commandGate(GateConfirmed, s.confirmed(), s.p.Region)}
}

// onlyApproval reports whether an approval is all that is missing: of some gates only that one is closed.
func onlyApproval(gates []Gate) bool {
	missing := false
	for _, g := range gates {
		if !g.Open && g.Code != GateApproved {
			return false
		}
		missing = missing || !g.Open
	}
	return missing
}

// askForApproval keeps the request for an approval true: what the region would do now, if it may.
func (s *State) askForApproval() {
	if s.p.Mode != ModeSemiAutomatic {
		return
	}
	kind := RequestKind("")
	switch {
	case s.permitted() || s.stopping:
	case s.leaving() && onlyApproval(s.LeaveGates()):
		kind = RequestHandOver
	case s.name == Candidate && onlyApproval(s.takeGates(s.gates[:0])), s.hopesForPledges():
		kind = RequestTake
	}
	r := &s.consent.request
	if kind != "" {
		s.consent.seen = s.now
	}
	switch {
	case kind == "" && s.stillAsks(): // a read or a round that was lost is no reason to wake people twice
	case kind == "":
		s.clear(NoticeApprovalWaiting, "")
		*r = Request{}
	case kind == r.Kind && s.now < r.Until:
	default:
		if r.Kind != "" && s.name == Candidate && s.letOthersAct() {
			return
		}
		s.clear(NoticeApprovalWaiting, "")
		*r = Request{kind, s.now, s.now.Add(s.p.ApprovalTimeout)}
		s.alarm(NoticeApprovalWaiting, "", string(kind))
	}
}

// stillAsks reports whether a request stands, though it could not be done for a moment.
func (s *State) stillAsks() bool {
	if s.permitted() || s.stopping || s.paused() || s.now >= s.blipUntil() {
		return false
	}
	switch s.consent.request.Kind {
	case RequestTake:
		return (s.name == Standby || s.name == Candidate) && s.leaderless()
	case RequestHandOver:
		return s.leaving()
	}
	return false
}

// blipUntil is when a request has ended that can't be done any more: a round of reads or questions may be lost.
func (s *State) blipUntil() Instant {
	return s.consent.seen.Add(s.p.RequestTimeout + s.p.RetryInterval)
}

// hopesForPledges reports whether a region without authority would ask for pledges now, with an approval. One people
// are asked by is enough: not while one of a better rank would too.
func (s *State) hopesForPledges() bool {
	if !s.p.Quorum || s.name != Standby && s.name != Candidate || s.handOver.to != nobody || !s.leaderless() || !allOpen(s.houseGates(s.gates[:0])) {
		return false
	}
	if s.asker.told {
		return true
	}
	for j, p := range s.peers {
		// Not by who held last: two that both think that they did would each leave it to the other.
		if sooner := s.sooner(j); (sooner > 0 || sooner == 0 && j < s.self) && p.reached && p.said.fit() {
			return false
		}
	}
	return s.now >= s.turnToAsk()
}

// letOthersAct ends a candidacy that nobody has approved, where another region acts by itself: its flag would
// keep that one from raising its own for as long as nobody says anything.
func (s *State) letOthersAct() bool {
	for j := range s.peers {
		if j != s.self && s.peers[j].mode == ModeAutomatic {
			s.consent.request = Request{}
			s.clear(NoticeApprovalWaiting, "")
			s.beQuiet()
			s.withdraw(ReasonUnapproved)
			return true
		}
	}
	return false
}

// pause has this region decide nothing by itself for d; for 0 it may again.
func (s *State) pause(d time.Duration) {
	s.consent.paused = s.now.Add(d)
	s.changeInfo()
	if d <= 0 {
		return // what was ordered meanwhile stands
	}
	s.endConsent()
	if s.name == Candidate {
		s.withdraw(ReasonPaused)
	}
}
