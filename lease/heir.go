package lease

import "slices"

// A change of the instance that acts: what the heir can prove, and how one leaves (§5).

// provable is until when the authority on the record surely stands: its base was sent after
// beat After, and so after every read that did not show that beat yet (§5). It is 0
// if nothing can be proved.
func (s *State) provable() Instant {
	t := &s.term
	switch {
	case s.resigned():
		return t.kept.Deadline
	case t.record.Base.Epoch == 0 || !s.asBefore(t.record.Base.Safety):
		return 0
	}
	at := Instant(0)
	for _, r := range t.readings {
		if r.beat < t.record.Base.After || !s.obeys(RuleHeirProves) {
			at = r.sent.Add(s.p.TTL)
		}
	}
	return at
}

// resigned reports whether this instance has given its term back with authority, and may go on with that if nobody else
// does: what is kept of a record that was removed proves nothing.
func (s *State) resigned() bool { return s.term.kept.Epoch > 0 && s.term.backAt != 0 }

// heir reports whether a follower can act in the other's place: it can prove the region's authority for long enough to
// renew it, or could if there was some in a moment. What is not on record yet may rest on a flag that was sent a
// renewal ago, so it must have read the record before that.
func (s *State) heir() bool {
	t := &s.term
	if t.record.Base.Epoch > 0 {
		return s.now < s.provable().Add(-s.p.FenceTimeout)
	}
	return len(t.readings) > 0 && s.now >= t.readings[0].sent.Add(s.p.RenewInterval+2*s.beatInterval())
}

// noteReading remembers a read for as long as it may prove anything.
func (s *State) noteReading(sent Instant) {
	t := &s.term
	t.readings = append(t.readings, termReading{sent, t.record.Beat})
	old := 0
	for old < len(t.readings) && t.readings[old].sent.Add(s.p.TTL) <= s.now {
		old++
	}
	t.readings = slices.Delete(t.readings, 0, old)
}

// lead has this instance act for the region from now on, with the authority that it can prove,
// or by fencing (§5).
func (s *State) lead(before TermRecord) {
	t := &s.term
	var inherited Authority
	if until := s.provable(); until > s.now {
		inherited = Authority{Epoch: t.record.Base.Epoch, Deadline: until, BootID: s.bootID, Safety: s.safetyHash}
		if s.resigned() {
			inherited.Epoch = t.kept.Epoch
		}
	}
	resumed := ReasonInherited
	if before.Term == t.record.Term {
		inherited, resumed = Authority{}, ReasonResumed
		if s.onDisk.Term == t.record.Term || !s.obeys(RuleSavedTerm) {
			inherited = s.onDisk
		}
	}
	if t.record.Base != (TermBase{}) {
		t.onRecord = s.now.Add(s.longer(s.p.TTL)) // at the latest: its base was sent before now
	}
	s.onDisk = Authority{} // it is of use once: what becomes of authority from now on, this instance knows
	t.held, t.alone, t.backAt, t.kept, t.base, t.fenced = t.record.Term, false, 0, Authority{}, TermBase{}, false
	s.consent = consent{paused: s.now.Add(t.record.Pause)}
	s.begin(inherited, resumed, ReasonElected)
	if s.authority && t.record.Base.Epoch == s.epoch {
		t.base = t.record.Base // else nothing is proved to heirs before the next base
	}
	switch {
	case !s.stopping:
	case s.authority && before.Term == t.record.Term: // it is back from the dead, and the others have not been offered it yet
		s.resign()
	default:
		s.releaseRegion()
	}
}

// follow has this instance leave everything to the one that acts for the region. It leaves the
// layers as they are: what they are to be is for that one to say.
func (s *State) follow(why ReasonCode) {
	s.become(Follower, why)
	s.act(StandDown{})
	s.forget()
}

// resign gives the term back, for another instance to take at once. If none does, this one was
// the last, and hands the region over (§5).
func (s *State) resign() {
	t := &s.term
	kept, base := s.standing(), TermBase{}
	if kept.Epoch > 0 {
		base = t.base
	}
	s.follow(ReasonResigned)
	t.kept, t.base, t.resigns, t.next = kept, base, true, s.now
	t.backAt = s.now.Add(2 * s.longer(s.p.TermDuration))
}

// loseRecord has this instance follow when somebody has removed the record. It can't go on: another one may be
// elected. Nor is any known to act, so what it held is its own to end. It proves nothing any more, not even to this
// instance: others may act in terms that nobody knows of.
func (s *State) loseRecord() {
	kept := s.standing()
	s.follow(ReasonSuperseded)
	s.term.kept = kept
}

// standing is the authority that this instance holds in its term, for epoch 0 if it holds none, or gives it up.
func (s *State) standing() Authority {
	kept := Authority{Term: s.term.held, Safety: s.safetyHash}
	if s.authority && !s.abandon {
		kept.Epoch, kept.Deadline = s.epoch, s.deadline
	}
	return kept
}

// fenceKeptAt is when an instance fences that has left its term, if it has not heard by then that another one acts; Never
// if it need not.
func (s *State) fenceKeptAt() Instant {
	if s.term.kept.Epoch == 0 || s.term.fenced {
		return Never
	}
	return s.term.kept.Deadline.Add(-s.p.FenceTimeout)
}

// fenceKept ends what a resignation has left in the air, or the removal of the record. The word may never have come to the
// record, or nobody is there to take the term, and the record can't be reached, or made anew: then nobody renews, and nobody
// else would fence in time (§5).
func (s *State) fenceKept() {
	if s.now < s.fenceKeptAt() {
		return
	}
	t := &s.term
	t.fenced = true
	s.act(Fence{ID: s.newID(), Deadline: t.kept.Deadline, Epoch: t.kept.Epoch, Term: t.kept.Term, Reason: ReasonRenewalLate})
}

// forget ends what this instance knows as the one that acts; not what keeps its write ids
// unique, nor the epochs that it has seen.
func (s *State) forget() {
	t := &s.term
	s.sawEpoch(s.self, s.epoch)
	s.authority, s.abandon, s.epoch = false, false, 0
	for i := range s.witnesses {
		s.witnesses[i].forget()
	}
	s.asker = asker{}
	s.handOver = handOver{to: nobody}
	s.layers = layerState{order: s.newID(), fenceBy: Never}
	s.saved = savedState{epoch: s.saved.epoch}
	s.quiet, s.consent = 0, consent{}
	s.loan = loan{from: nobody, to: nobody}
	s.alarms = nil
	s.resetPeers()
	s.term = termState{floor: t.floor, record: t.record, known: t.known, changed: t.changed, next: s.now, op: t.op, opSent: t.opSent, writes: t.writes}
	if t.writes != nil {
		s.term.op, s.term.writes, s.term.doubt = 0, nil, true // its outcome is of no use any more
	}
}

// keepSaved has a follower that is asked to stop see to the authority that it found on disk, if that stands and nobody else is known to
// act: it was killed while it acted, or had just resigned.
func (s *State) keepSaved() {
	stands := s.onDisk.Epoch > 0 && s.onDisk.BootID == s.bootID && s.now < s.onDisk.Deadline
	if stands && s.term.backAt == 0 && !s.actedSince(s.onDisk.Term) {
		s.term.kept = s.onDisk
	}
}

// actedSince reports whether another instance is known to act since this one's term, or to have done so.
func (s *State) actedSince(term uint64) bool {
	r := s.term.record
	return r.Beat > 0 && (r.Term != term || r.Holder != "" && r.Holder != s.p.Instance)
}

// owes reports whether a follower that has not resigned is to act once more before it stops, since nobody else is known to: the
// term is its own yet, as before a restart or a removal of the record, or there is authority that it has to end.
func (s *State) owes() bool {
	return s.term.record.Holder == s.p.Instance || s.term.kept.Epoch > 0
}

// termGone reports whether a follower that was asked to stop is done: another instance acts, or
// there is nothing that it would have to take back.
func (s *State) termGone() bool {
	t := &s.term
	switch {
	case t.backAt == 0 && !t.known: // who acts can't be waited for without end
		return s.alarmed(NoticeTermUnreachable, "", "") && s.now >= t.kept.Deadline
	case t.backAt == 0:
		return !s.owes()
	case t.kept.Epoch == 0 && s.now >= t.backAt:
		return true
	case t.resigns || t.op != 0 && t.writes != nil:
		return false
	}
	return t.known && t.record.Holder != s.p.Instance && (t.record.Holder != "" || t.kept.Epoch == 0)
}
