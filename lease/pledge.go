package lease

import "strconv"

// questioned answers a question of another region, and grants the pledge that it
// asks for if it may (§4).
func (s *State) questioned(ev Asked) {
	j, q := s.member(ev.From), ev.Question
	if j >= 0 && q.Epoch == 0 || j == s.self {
		// A person asks, not an agent, and perhaps on the host of a region that is down
		// indeed: taken for a sign of life, it would end the word that the region is fenced,
		// and with it the authority that rests on that. No agent asks itself either.
		a := s.answer(j, q)
		a.Granted = false
		s.act(Reply{ID: ev.ID, Answer: a})
		return
	}
	if j < 0 {
		s.illegal("a question by no member")
		return
	}
	s.showedLife(j)
	s.peers[j].term = max(s.peers[j].term, q.Term)
	if q.Authority {
		s.otherActive(j, q.Epoch)
	}
	a := s.answer(j, q)
	grants := q.Verb == VerbPledge && a.Granted
	if grants {
		s.grant(j, q)
		a.State = s.name
	}
	if grants && !s.epochOnRecord(q.Epoch) {
		s.peers[j].grant, s.peers[j].grantEpoch = &Reply{ID: ev.ID, Answer: a}, q.Epoch
	} else {
		s.act(Reply{ID: ev.ID, Answer: a})
	}
	if q.Loan && !q.HandOver && s.loan.from == j {
		s.orderHandOver(HandOver{To: ev.From})
	}
	if q.HandOver && !q.Authority && q.Safety == s.safetyHash && !s.authority { // else it has taken already, and is told again
		s.asker.told = true // the region that asks hands over to this one
		// A question that comes late may be of what this one has taken and given up again.
		if q.Ordered && q.Epoch > s.holderEpoch {
			s.permit()
		}
		if s.loan.from = nobody; q.Loan {
			s.loan.from = j
		}
		s.loan.recallUntil = 0
	}
}

// answer is what this region says to a question of region j. Nothing changes by it.
func (s *State) answer(j int, q Question) Answer {
	why := s.refusal(j, q)
	a := Answer{State: s.name, Granted: why == "", Why: why, Safety: s.safetyHash, Term: s.term.held, Degraded: s.health.degraded, Behind: len(s.health.behind) > 0,
		Waits: s.p.Mode != ModeAutomatic, Paused: s.paused()}
	switch {
	case s.authority:
		a.Authority, a.Epoch, a.Remaining = true, s.epoch, s.deadline.Sub(s.now)
	case why == RefusedEpoch:
		a.Epoch, a.Whose = s.highestEpoch()
	}
	return a
}

// refusal is why a pledge that region j asks for can't be granted; empty if it
// can (§4, granting).
func (s *State) refusal(j int, q Question) ReasonCode {
	switch {
	case q.Safety != s.safetyHash && s.obeys(RulePledgeSameSafety):
		return GateSameSafety
	case !s.confirmed():
		return GateConfirmed
	case q.Term > 0 && q.Term < s.peers[j].term && s.obeys(RulePledgeOfTerm): // 0: the region has gone back to one instance
		return RefusedTerm
	case s.authority: // its layers are not fenced either
		return RefusedActive
	case !s.layersFenced() || !s.savedGone():
		return GateLayersFenced
	case !q.Authority && !s.alone():
		return GateAlone
	case s.handingOverTo(s.handOver.to) && s.handOver.to != j && !q.Authority:
		return RefusedHandingOver
	case !q.Authority && j > s.self && (s.name == Candidate && s.approved() || s.asker.verb == VerbPledge) && s.obeys(RuleGrantOrder):
		return RefusedCandidate
	case !s.epochServes(j, q) && s.obeys(RuleGrantEpoch):
		return RefusedEpoch
	}
	return ""
}

// epochServes reports whether a pledge may be granted to region j for the epoch
// that it names. A holder's may be below that of a candidacy, which has made
// nothing active; so may any be below that of the own one, which the grant ends. If it
// had to be above that too, two candidates who learn of one another would overtake one another for ever.
func (s *State) epochServes(j int, q Question) bool {
	if q.Authority {
		return q.Epoch >= s.holderEpoch
	}
	if s.name != Candidate && s.epoch >= s.highest && s.epoch > 0 {
		return q.Epoch > s.epoch
	}
	return q.Epoch > s.highest || q.Epoch == s.highest && s.highestBy == j
}

// highestEpoch is the highest epoch that this region knows of, and whose it is.
func (s *State) highestEpoch() (uint64, Region) {
	switch {
	case s.epoch > s.highest:
		return s.epoch, s.p.Region
	case s.highestBy == nobody || s.epoch == s.highest:
		return s.highest, ""
	}
	return s.highest, s.p.Members[s.highestBy]
}

// grant promises region j not to take for TTL + Δ.
func (s *State) grant(j int, q Question) {
	p := &s.peers[j]
	if q.Term != p.pledgedTerm {
		p.otherAt = p.pledgedAt // that instance may hold authority by it yet
	}
	p.pledgedAt, p.pledgedTerm = s.now, q.Term
	if s.obeys(RuleGrantIsEvidence) {
		p.evidence = s.now
	}
	s.sawEpoch(j, q.Epoch)
	if q.Authority {
		s.sawActive(j, q.Epoch)
		p.state = FlagActive
	}
	if q.Epoch > s.saved.epoch || s.saved.failed {
		s.remember(max(q.Epoch, s.saved.epoch))
	}
	a := &s.asker
	if j == s.handOver.to {
		a.statusAt = min(a.statusAt, s.now.Add(s.p.RetryInterval/4)) // whoever has ordered it waits to hear that it is active
	}
	if !s.obeys(RuleGrantVoids) {
		return
	}
	if a.verb == VerbPledge {
		s.endQuestions()
		a.pledgeAt = s.now.Add(s.p.RetryInterval)
	}
	a.willing, a.told = Never, false
	if s.name == Candidate {
		s.withdraw(ReasonGranted)
	}
}

// epochOnRecord reports whether this region's next instance will know that an epoch was pledged
// to: the one that has pledged may be gone by then, and its disk with it (§5).
func (s *State) epochOnRecord(epoch uint64) bool {
	return !s.shared() || s.term.record.Epoch >= epoch || !s.obeys(RulePledgeOnRecord)
}

// sendGrants sends the grants that had to wait for the shared record.
func (s *State) sendGrants() {
	for j := range s.peers {
		if p := &s.peers[j]; p.grant != nil && s.epochOnRecord(p.grantEpoch) {
			s.act(*p.grant)
			p.grant = nil
		}
	}
}

// showedLife ends an operator's word that region j is fenced.
func (s *State) showedLife(j int) {
	if s.obeys(RuleFencedUntilSeen) {
		s.peers[j].fenced = false
	}
}

// endFencedWords ends all such words when the own flag can be renewed again: from
// then on the witness shows who lives.
func (s *State) endFencedWords() {
	for j := range s.peers {
		s.showedLife(j)
	}
}

// takeover takes an operator's word that a region is down and fenced (§4, dead
// holder and dead witness).
func (s *State) takeover(ev Takeover) {
	if s.now > ev.Until || !allOpen(s.TakeoverGates(ev.Fenced)) {
		return
	}
	s.permit()
	if ev.Fenced == "" {
		return
	}
	s.act(Notice{Reason: NoticePeerFenced, Region: ev.Fenced})
	s.peers[s.member(ev.Fenced)].fenced = true
	s.consent.fenced = s.consent.until
	s.asker.told = true
	s.asker.pledgeAt = s.now
	if s.asker.verb == VerbPledge {
		s.endQuestions() // it waits for that region
	}
}

// handOver is authority on its way to another region.
type handOver struct {
	to      int     // nobody for none
	ordered bool    // by an operator
	loan    bool    // it is wanted back
	epoch   uint64  // that was given up
	until   Instant // once fenced: until then no other region is granted a pledge
}

// orderHandOver begins to hand authority over (§4): fencing comes first.
func (s *State) orderHandOver(ev HandOver) {
	if !allOpen(s.HandOverGates(ev.To)) {
		return
	}
	s.handOver.to, s.handOver.ordered, s.handOver.loan = s.member(ev.To), true, ev.Loan
	if ev.Loan {
		s.loan.to = s.handOver.to
	}
	s.abandonAuthority(ReasonHandedOver)
}

// successor is whom to hand over to when nobody has said: the first of the other
// members that is fit, or that answered the last time, or nobody without a quorum.
func (s *State) successor() int {
	if !s.p.Quorum {
		return nobody
	}
	if to := s.fit(false); to != nobody {
		return to
	}
	first := nobody
	for j := range s.peers {
		switch {
		case j == s.self || s.peers[j].fenced:
		case s.peers[j].reached:
			return j
		case first == nobody:
			first = j
		}
	}
	return first
}

// beginHandOver tells another region, now that this one is fenced and has given
// epoch up, that it may take: the one that an operator named, or the one of the
// best rank.
func (s *State) beginHandOver(epoch uint64) {
	if s.handOver.to == nobody {
		s.handOver.to = s.successor()
	}
	s.handOver.epoch, s.handOver.until = epoch, s.now.Add(2*s.p.RequestTimeout)
	s.tellSuccessor()
}

// tellSuccessor tells the region that authority is handed over to, if there is one
// that can be granted a pledge: told too early, it would ask in vain, and wait for
// retry_interval.
func (s *State) tellSuccessor() {
	if s.handingOverTo(s.handOver.to) {
		s.asker.statusAt = s.now
		s.endQuestions()
	}
}

// handingOverTo reports whether region j is being told to take.
func (s *State) handingOverTo(j int) bool {
	return j != nobody && j == s.handOver.to && s.name == Standby && s.savedGone()
}

// endHandOver ends a hand-over that has come to its end: another region is
// active, or it has taken too long.
func (s *State) endHandOver() {
	fenced := s.name == Standby || s.name == Candidate
	if fenced && (s.now >= s.handOver.until || s.holderEpoch > s.handOver.epoch) {
		s.handOver.to, s.handOver.ordered, s.handOver.loan = nobody, false, false
	}
}

func formatEpoch(epoch uint64) string { return strconv.FormatUint(epoch, 10) }
