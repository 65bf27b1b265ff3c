package lease

import (
	"slices"
	"time"
)

// asker is the asking of all other regions through the quorum, in rounds (§4).
type asker struct {
	verb     Verb // of the round in flight; empty if there is none
	sent, by Instant
	epoch    uint64  // that it proposes
	beat     uint64  // of the shared record, that was known to be written then (§5)
	ended    Instant // sending of the newest round that has ended
	statusAt Instant // when the next round is due
	pledgeAt Instant // no round for pledges before
	willing  Instant // since then every round has found that everyone would grant; Never if not
	told     bool    // not to wait for its turn: a region hands over, or an operator said so
	tooLow   uint64  // rounds for pledges on end that nothing but too low an epoch stood against
}

func (a *asker) init() { a.sent, a.ended, a.willing = -Never, -Never, Never }

func (a *asker) lastEnded() Instant {
	if a.ended == -Never {
		return Never
	}
	return a.ended
}

// ask sends the round of questions that is due.
func (s *State) ask() {
	a := &s.asker
	switch {
	case !s.p.Quorum:
	case a.verb != VerbPledge && s.wantsPledges() && s.now >= a.pledgeAt:
		s.askAll(VerbPledge)
	case a.verb == "" && s.now >= a.statusAt, a.verb != VerbPledge && s.now >= s.vetoAt() && a.sent < s.vetoAt():
		s.askAll(VerbStatus)
	}
}

// wantsPledges reports whether this region is to ask for pledges: a holder that
// can't renew at the witness, or one without authority that can hope for all of
// them and whose turn it is.
func (s *State) wantsPledges() bool {
	a := &s.asker
	switch {
	case s.authority:
		return !s.abandon && s.failing()
	case s.name != Standby && s.name != Candidate || s.handOver.to != nobody || !allOpen(s.houseGates(s.gates[:0])):
		return false
	case !s.obeys(RuleAskWithHope):
		return s.leaderless()
	}
	return s.approved() && (a.told || s.now >= s.turnToAsk())
}

// turnToAsk is when this region asks for pledges: at once if it is of the best
// rank, and later the worse its rank is, so that few ask at once.
func (s *State) turnToAsk() Instant {
	if s.asker.willing == Never {
		return Never
	}
	rank := s.rank()
	if s.health.degraded || len(s.health.behind) > 0 {
		rank += len(s.peers) // everyone lives: let one of the others take
	}
	return s.asker.willing.Add(time.Duration(rank) * 2 * s.p.RetryInterval)
}

// vetoAt is when a candidate asks the others whether one of them is active
// after all: so early that the answers are there when its taking read is due.
// Never for others.
func (s *State) vetoAt() Instant {
	if s.name != Candidate || !s.raised() {
		return Never
	}
	return s.comes(s.takeAt).Add(-s.p.RequestTimeout)
}

// leaderless reports whether this region knows of no lease that may stand.
func (s *State) leaderless() bool {
	if s.authority {
		return false
	}
	return !slices.ContainsFunc(s.peers, func(p peer) bool {
		return p.state == FlagActive && s.now < p.evidence.Add(s.longer(s.p.TTL))
	})
}

// askAll sends a round of questions to every other region. It takes the place of
// the one in flight.
func (s *State) askAll(verb Verb) {
	a := &s.asker
	a.verb, a.sent, a.by, a.epoch, a.beat = verb, s.now, s.now.Add(s.p.RequestTimeout), s.epoch, s.term.record.Beat
	if a.epoch == 0 {
		// By more the more often it was too low: a candidate that is overtaken raises its
		// own, and the two would go up by one side by side for ever.
		a.epoch = s.highest + 1 + a.tooLow
	}
	if verb == VerbPledge {
		a.told, a.willing, a.pledgeAt = false, Never, s.now.Add(s.p.RetryInterval)
	}
	every := s.p.RenewInterval
	if s.leaderless() || s.leaving() || s.now < s.loan.recallUntil {
		every = s.p.RetryInterval
	}
	a.statusAt = s.now.Add(every)
	for j := range s.peers {
		if j == s.self {
			continue
		}
		p := &s.peers[j]
		p.asked, p.granted = s.newID(), false
		s.act(Ask{ID: p.asked, Deadline: a.by, To: s.p.Members[j], Question: Question{
			Verb: verb, Epoch: a.epoch, Authority: s.authority, HandOver: s.handingOverTo(j), Ordered: s.handingOverTo(j) && s.handOver.ordered,
			Loan: s.handingOverTo(j) && s.handOver.loan || s.recalling(j), Safety: s.safetyHash, Term: s.term.held,
		}})
	}
	s.count()
}

// answered takes the answer to a question in.
func (s *State) answered(ev Answered) {
	j := s.member(ev.From)
	if j < 0 || j == s.self {
		s.illegal("an answer by no other member")
		return
	}
	p := &s.peers[j]
	if p.asked != ev.ID && s.obeys(RuleAnswerToQuestion) || s.asker.verb == "" {
		return // to an earlier question: of no use
	}
	p.asked = 0
	p.reached = ev.Reached
	if !ev.Reached {
		s.unreached(j, ev.CutOff)
		s.count()
		return
	}
	s.clear(NoticePeerUnreachable, ev.From)
	s.clear(NoticeCutOff, "")
	p.said, p.saidAt = ev.Answer, s.now
	s.showedLife(j)
	if p.said.Safety != s.safetyHash {
		s.alarm(NoticeSafetyDiffers, ev.From, "their digest is "+p.said.Safety+", the own one "+s.safetyHash+": compare the output of check")
		p.said.Granted = p.said.Granted && !s.obeys(RulePledgeSameSafety)
	}
	p.granted = p.said.Granted
	switch {
	case p.said.Authority:
		s.saidActive(j)
	case p.said.Epoch > 0:
		s.sawEpoch(s.member(p.said.Whose), p.said.Epoch)
	}
	s.count()
}

// unreached notes that a question brought no answer. Silence is no evidence of
// anything.
func (s *State) unreached(j int, cutOff bool) {
	if cutOff {
		s.alarm(NoticeCutOff, "", "")
		return
	}
	s.clear(NoticeCutOff, "")
	s.alarm(NoticePeerUnreachable, s.p.Members[j], "")
}

// saidActive is a signed answer that a region holds authority: evidence, like a
// record (§4, the veto). The age of its authority is part of it, so that asking
// does not make anyone wait longer than a record would have.
func (s *State) saidActive(j int) {
	p := &s.peers[j]
	s.sawEpoch(j, p.said.Epoch)
	s.sawActive(j, p.said.Epoch)
	if !s.obeys(RuleActiveAnswer) {
		return
	}
	if s.now >= s.vetoAt() {
		s.alarm(NoticeWitnessStale, s.p.Members[j], "a signed answer says that it is active for epoch "+formatEpoch(p.said.Epoch)+", and the witness has shown no record of it for almost as long as it may be stale")
	}
	base := s.now.Add(s.longer(min(p.said.Remaining, s.p.TTL)) - s.longer(s.p.TTL))
	p.evidence, p.state = max(p.evidence, base), FlagActive
	if s.name == Candidate && s.obeys(RuleYield) {
		s.withdraw(ReasonYielded)
	}
	s.otherActive(j, p.said.Epoch)
}

// count draws the conclusion from the answers to the round in flight.
func (s *State) count() {
	a := &s.asker
	done, all, granted := true, true, 0
	for j := range s.peers {
		p := &s.peers[j]
		if j == s.self || p.fenced {
			continue
		}
		done = done && p.asked == 0
		all = all && s.counts(j)
		if s.counts(j) {
			granted++
		}
	}
	if !s.obeys(RuleEveryPledge) && granted > 0 && a.verb == VerbPledge {
		all = true
	}
	if !all && !done {
		return
	}
	verb, sent, epoch := a.verb, a.sent, a.epoch
	s.endQuestions()
	switch {
	case verb == VerbPledge && all:
		s.pledged(sent, epoch)
	case verb == VerbPledge:
		a.told = s.refusedByEpoch() // a higher one is known now
		a.tooLow++
		if !a.told {
			a.tooLow = 0
		}
	case !all && !s.refusedByEpoch():
		a.willing = Never
	case a.willing == Never: // an epoch that was too low is no unwillingness
		a.willing = sent
	}
}

// counts reports whether the pledge of region j is one. While another of its instances may hold
// authority by this region's own pledge, that of one that has none speaks for itself alone (§5).
func (s *State) counts(j int) bool {
	p := &s.peers[j]
	other := p.otherAt
	if p.said.Term != p.pledgedTerm {
		other = p.pledgedAt
	}
	bound := s.now < other.Add(s.longer(s.p.TTL)) && s.obeys(RulePledgeOfTerm)
	return p.granted && (s.authority || !bound)
}

// refusedByEpoch reports whether an epoch that was too low is all that stood
// between this region and every pledge.
func (s *State) refusedByEpoch() bool {
	if s.authority {
		return false
	}
	for j := range s.peers {
		p := &s.peers[j]
		if j != s.self && !p.fenced && !s.counts(j) && !(p.reached && p.said.Why == RefusedEpoch) {
			return false
		}
	}
	return true
}

// endQuestions ends the round in flight.
func (s *State) endQuestions() {
	if s.asker.verb == "" {
		return
	}
	s.asker.verb, s.asker.ended = "", s.asker.sent
	for j := range s.peers {
		if s.obeys(RuleAnswerToQuestion) {
			s.peers[j].asked = 0
		}
	}
}

// expireQuestions ends a round whose answers are late: "timed out" is "unknown".
func (s *State) expireQuestions() {
	if s.asker.verb == "" || s.now <= s.asker.by {
		return
	}
	for j := range s.peers {
		if s.peers[j].asked != 0 {
			s.peers[j].asked, s.peers[j].reached = 0, false
			s.unreached(j, false)
		}
	}
	s.count()
}

// pledged is the pledge of every other region, to a question that was sent at
// sent (§4).
func (s *State) pledged(sent Instant, epoch uint64) {
	if !s.obeys(RulePledgeFromSending) {
		sent = s.now
	}
	switch {
	case s.authority:
		s.asker.pledgeAt = max(s.asker.pledgeAt, sent.Add(s.p.RenewInterval))
		s.extend(sent, s.asker.beat)
	case !s.wantsToTake(epoch):
	default:
		if s.name == Standby {
			s.epoch = epoch
			s.beginFlag()
		}
		s.take(sent.Add(s.p.TTL), s.asker.beat, ReasonPledged)
	}
}

// wantsToTake reports whether a region that every other one has pledged to is
// still one to take: pledges for an epoch that was overtaken meanwhile are of no
// use.
func (s *State) wantsToTake(epoch uint64) bool {
	return (s.name == Standby || s.name == Candidate && s.epoch == epoch) && s.handOver.to == nobody &&
		(epoch > s.highest || !s.obeys(RuleGrantEpoch)) && s.approved() && allOpen(s.houseGates(s.gates[:0]))
}

// dueQuestions tells when something of the quorum is due by itself.
func (s *State) dueQuestions(due func(Instant)) {
	if !s.p.Quorum {
		return
	}
	a := &s.asker
	switch {
	case a.verb != "":
		due(a.by + 1)
	default:
		due(a.statusAt)
	}
	due(s.vetoAt())
	due(a.pledgeAt)
	if !s.authority {
		due(s.turnToAsk())
	}
	if s.handOver.to != nobody {
		due(s.handOver.until)
	}
}
