package lease

import (
	"slices"
	"time"
)

// flagWithdrawn is what no region ever writes: withdrawing is silence (§3). The
// mutant that writes it shows why.
const flagWithdrawn FlagState = "withdrawn"

// acquire raises the flag of a standby and makes a candidate active, when all
// of the gates for it are open (§3).
func (s *State) acquire() {
	if s.name == Candidate {
		s.doubtCandidacy()
	}
	// While it hands over it stays out of the other one's way, which may come later in members.
	if s.name == Standby && s.handOver.to == nobody && allOpen(s.raiseGates(s.gates[:0])) {
		s.raise(ReasonSuspected)
	}
	if s.name == Candidate && allOpen(s.takeGates(s.gates[:0])) {
		until, by := s.flagUntil()
		s.take(until, by.own.beat, ReasonTaken)
	}
}

// raise begins a candidacy, with an epoch above every one that was seen.
func (s *State) raise(why ReasonCode) {
	s.epoch, s.passed = s.highest+1, 0
	s.beginFlag()
	s.become(Candidate, why)
}

// doubtCandidacy ends a candidacy that can't succeed as it is.
func (s *State) doubtCandidacy() {
	if s.most(s.passes) {
		s.passed = s.now
	}
	switch {
	case !allOpen(s.ownGates(s.gates[:0])):
		s.withdraw(ReasonUnapproved) // the word has run out: it would hold others up for ever
	case s.now >= max(s.lastComplete(), s.since).Add(s.p.TTL) && s.obeys(RuleBlindFallsBack):
		s.withdraw(ReasonBlind) // it would only hold others up
	case s.now >= s.outvotedAt() && s.obeys(RuleOutvotedFallsBack):
		s.beQuiet()
		s.withdraw(ReasonOutvoted)
	case s.epoch <= s.highest && s.obeys(RuleEpochAbove):
		// Start over, but not by falling silent: two candidates that overtake
		// one another would do so for ever, each in the other's silence.
		s.raise(ReasonOvertaken)
	}
}

// outvotedAt is when a candidate of several witnesses withdraws since it has had too few of them for TTL: its flag is
// evidence to others wherever it stands, so it would hold them up for as long as it is written. Never if it need not.
func (s *State) outvotedAt() Instant {
	switch {
	case s.name != Candidate || len(s.witnesses) == 1 || s.most(s.passes):
		return Never
	case s.raised():
		last, _ := s.nth(len(s.witnesses), s.takeAt) // the quicker ones may be those that are missing
		return max(last, s.passed).Add(s.p.TTL)
	}
	at := Never
	for i := range s.witnesses {
		if f := &s.witnesses[i].own; f.raised && s.now < f.until {
			at = min(at, f.firstAck.Add(s.p.TTL))
		}
	}
	return at
}

// beQuiet has this region raise no flag for as long as every other one needs to raise its own, unless an operator has said
// that this one is to take.
func (s *State) beQuiet() {
	if !s.permitted() {
		s.quiet = s.now.Add(s.longer(s.p.TTL) + time.Duration(len(s.peers)+1)*s.p.Turn())
	}
}

// take makes the region active, with authority until a time that its first base
// gives: the flag that stands, or the pledges. beat is one that was known to be written when that
// was sent.
func (s *State) take(until Instant, beat uint64, why ReasonCode) {
	s.authority, s.deadline, s.term.base = true, until, TermBase{s.epoch, beat, s.safetyHash}
	s.holder, s.holderEpoch = s.self, s.epoch
	if !s.permitted() {
		s.loan.from = nobody // it was lent by a word that has come to nothing
	}
	s.endConsent()
	for j := range s.peers {
		s.peers[j].grant = nil // none leaves any more
	}
	s.loan.to, s.loan.recallUntil = nobody, 0
	for i := range s.witnesses {
		f := &s.witnesses[i].own
		f.next = s.now // to say "active"
		if f.wrote {
			f.next = max(s.now, f.last.Add(s.p.RetryInterval))
		}
	}
	s.asker.told, s.asker.willing, s.asker.tooLow = false, Never, 0
	s.become(Active, why)
	s.save(Authority{Epoch: s.epoch, Deadline: s.deadline, BootID: s.bootID})
	// Authority is written before it is used (§5).
	s.layers = layerState{fenceBy: Never, activateFor: s.saved.order, activateBy: s.now.Add(s.p.RequestTimeout)}
}

// withdraw turns a candidate back into a standby, which is silent: a
// "withdrawn" record that lands late could hide a live flag (§3, yield).
func (s *State) withdraw(why ReasonCode) {
	if !s.obeys(RuleSilentWithdrawal) {
		s.seq++
		s.act(WriteFlag{ID: s.newID(), Deadline: s.now.Add(s.p.RequestTimeout), Flag: Flag{State: flagWithdrawn, WriteID: NewWriteID(s.incarnation, s.seq)}})
	}
	s.giveUp()
	s.become(Standby, why)
}

// rank is this region's place among those that may raise a flag: those first that need nobody's
// word for it, and then the order of the members, the last known holder moved to the end (§3, suspect).
func (s *State) rank() int {
	rank := 0
	for j := range s.peers {
		if s.before(j) {
			rank++
		}
	}
	return rank
}

// before reports whether region j is of a better rank.
func (s *State) before(j int) bool {
	switch sooner := s.sooner(j); {
	case j == s.self || sooner < 0 || sooner == 0 && j == s.holder:
		return false
	default:
		return sooner > 0 || j < s.self || s.holder == s.self
	}
}

// sooner tells by its mode whether region j acts sooner than this one: above 0 if it does, below 0 if later.
func (s *State) sooner(j int) int {
	return slices.Index(Modes, s.p.Mode) - slices.Index(Modes, s.peers[j].mode)
}

// lastEvidence is the newest evidence of any other region, and whose it is.
func (s *State) lastEvidence() (Instant, int) {
	newest, whose := -Never, (s.self+1)%len(s.peers)
	for j := range s.peers {
		if j != s.self && s.peers[j].evidence > newest {
			newest, whose = s.peers[j].evidence, j
		}
	}
	return newest, whose
}

// suspectAt is when a standby may raise its flag: evidence of everyone is older
// than longer(TTL) − lead, and a turn more for each better rank, and for a
// candidate that was seen (§3, suspect).
func (s *State) suspectAt() Instant {
	at := -Never
	for j := range s.peers {
		if j == s.self {
			continue
		}
		p := &s.peers[j]
		after := p.evidence
		if p.state == FlagCandidate && s.obeys(RuleCandidateTurn) {
			// Reads a staleness old make a live candidate look silent for
			// longer than a TTL. One that raised its flag against it would
			// reset its waits, again and again, and neither would ever take.
			after = after.Add(s.p.Turn())
		}
		at = max(at, after)
	}
	at = max(at.Add(s.longer(s.p.TTL)-s.p.Lead()), s.quiet)
	if s.obeys(RuleRank) {
		at = at.Add(time.Duration(s.rank()) * s.p.Turn())
	}
	return at
}

// settledAt is when every read of a witness returns the own flag or a newer one: longer(Δ)
// after it was first acknowledged, by a majority (§3, take).
func (s *State) settledAt(w *witness) Instant {
	if !s.raised() {
		return Never
	}
	if !s.obeys(RuleSettle) {
		return s.firstAck()
	}
	return s.firstAck().Add(s.longer(w.staleness))
}

// waitedAt is when no lease can be hidden any more in a witness: longer(TTL+Δ) after the
// last evidence of anyone (§3, take).
func (s *State) waitedAt(w *witness) Instant {
	evidence, _ := s.lastEvidence()
	if !s.obeys(RuleStalenessWait) {
		return evidence.Add(s.longer(s.p.TTL))
	}
	return evidence.Add(s.longer(s.p.TTL + w.staleness))
}

// takeAt is when the taking read of a witness is due.
func (s *State) takeAt(w *witness) Instant { return max(s.settledAt(w), s.waitedAt(w)) }

// shows reports whether the taking read of a witness is there (§3, take).
func (s *State) shows(w *witness) bool {
	due := s.takeAt(w)
	if evidence, _ := s.lastEvidence(); !s.obeys(RuleMissingIsNotFree) && evidence == -Never {
		due = -Never
	}
	return w.reader.lastComplete() >= due
}

// passes reports whether a witness is one of those that a candidate may take by (§1, several witnesses).
func (s *State) passes(w *witness) bool {
	return w.own.raised && s.agrees(w) && s.shows(w) && s.readsBack(w)
}

// readsBack reports whether the newest complete round of a witness returned the own flag, no staler than the bound
// (§3, take).
func (s *State) readsBack(w *witness) bool {
	return w.reader.complete != Never && w.reader.ownFresh || !s.obeys(RuleReadBack)
}

// lastComplete is the sending of the newest complete round.
func (r *reader) lastComplete() Instant {
	if r.complete == Never {
		return -Never
	}
	return r.complete
}

// older reports whether id is an earlier attempt of the incarnation that was
// seen last. Only a mutant asks.
func (w *seenWrites) older(id WriteID) bool {
	newest := w.ids[(int(w.next)+len(w.ids)-1)%len(w.ids)]
	return newest.Incarnation() == id.Incarnation() && id.Seq() < newest.Seq()
}

func allOpen(gates []Gate) bool {
	return !slices.ContainsFunc(gates, func(g Gate) bool { return !g.Open })
}
