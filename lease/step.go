package lease

import "fmt"

// Step tells the state machine what happened at now and returns what to do,
// and the decision that stands until the next Step, due at Decision.Wake at the
// latest. The actions are valid until the next Step.
//
// Within one Step, what time alone ends comes first, then the event, then what
// has become due: an answer that comes after the deadline finds the authority
// ended (§2).
func (s *State) Step(now Instant, ev Event) ([]Action, Decision) {
	s.actions = s.actions[:0]
	start, isStart := ev.(Start)
	switch {
	case s.name == "" != isStart:
		s.illegal(fmt.Sprintf("%T in state %q: Start comes first, and once", ev, s.name))
	case now < s.now:
		s.illegal(fmt.Sprintf("the clock went back from %d to %d", s.now, now))
	case isStart:
		s.now = now
		s.start(start)
	default:
		s.now = now
		s.expire()
		s.handle(ev)
	}
	switch {
	case s.follows():
		s.keepTerm()
	case s.name != "":
		s.advance()
	}
	return s.actions, s.decide()
}

// start begins a life.
func (s *State) start(ev Start) {
	s.incarnation, s.bootID, s.version = ev.Incarnation, ev.BootID, ev.Version
	s.onDisk = ev.Saved
	s.sawEpoch(s.self, ev.Saved.Epoch)
	s.saved.epoch = ev.Saved.Epoch
	s.consent.paused = s.now.Add(ev.Paused)
	if s.shared() {
		s.become(Follower, ReasonStarting)
		return
	}
	s.begin(ev.Saved, ReasonResumed, ReasonStarting)
}

// begin has this instance act for the region: with authority that stands, for the reason
// resumed, or by fencing (§5).
func (s *State) begin(saved Authority, resumed, why ReasonCode) {
	for i := range s.peers {
		// A restart forgets promises, so the start itself is evidence of
		// everyone (§3).
		s.peers[i].evidence, s.peers[i].pledgedAt, s.peers[i].otherAt = s.now, s.now, -Never
		if !s.obeys(RuleStartEvidence) {
			s.peers[i].evidence = s.now.Add(-s.longer(s.p.TTL + s.p.Staleness))
		}
	}
	for i := range s.witnesses {
		s.witnesses[i].reader.init()
	}
	s.asker.init()
	sameBoot := saved.BootID == s.bootID && s.bootID != "" || !s.obeys(RuleBootID)
	stands := s.now < saved.Deadline && saved.Deadline <= s.now.Add(s.p.TTL) || !s.obeys(RuleSavedDeadline)
	if saved.Epoch > 0 && sameBoot && stands && s.asBefore(saved.Safety) {
		s.authority, s.epoch, s.deadline = true, saved.Epoch, saved.Deadline
		if !s.obeys(RuleSavedDeadline) {
			s.deadline = s.now.Add(s.p.TTL)
		}
		s.saved.deadline = saved.Deadline
		s.holder, s.holderEpoch = s.self, s.epoch
		s.beginFlag()
		s.become(Active, resumed)
		s.orderActivate(resumed)
		return
	}
	if saved.Epoch > 0 {
		detail := fmt.Sprintf("epoch %d, deadline %d, boot %s; now %d, boot %s", saved.Epoch, saved.Deadline, saved.BootID, s.now, s.bootID)
		if saved.Safety != s.safetyHash {
			detail += ", and other safety parameters than then"
		}
		s.act(Notice{Reason: NoticeSavedUnusable, Detail: detail})
	}
	if saved.Epoch > 0 && sameBoot && s.now < saved.Deadline {
		// No authority lasts that long, so the record is wrong, or of another
		// TTL. A later start would take it for good: it must leave the disk.
		s.saved.deadline = saved.Deadline
		s.save(s.ended(saved.Epoch))
	}
	s.deadline = 0 // of authority that it had in another term; when that of the layers ends is not known
	s.become(Fencing, why)
	s.orderFence(why)
}

// asBefore reports whether authority that was acquired with some parameters may be gone on with: the other
// regions wait by those, and do not know of new ones yet (§5).
func (s *State) asBefore(safety string) bool {
	return safety == s.safetyHash || !s.obeys(RuleSavedSafety)
}

// expire ends what time alone ends.
func (s *State) expire() {
	s.expireTerm()
	for i := range s.witnesses {
		w := &s.witnesses[i]
		s.expireWrite(w)
		if w.reader.expire(s.now) {
			s.alarmAt(w, NoticeWitnessDown, "", "no answer to a round of reads within request_timeout")
		}
		if w.info.order != 0 && s.now >= w.info.by {
			s.infoFailed(w)
		}
	}
	s.expireQuestions()
	if !s.authority && s.consent.fenced > 0 && s.now >= s.consent.fenced {
		s.endFencedWords() // by a later word, which knows nothing of it, nobody is to take without that region's pledge
		s.consent.fenced = 0
	}
	// §2: once the deadline has passed it cannot be extended.
	if s.authority && s.now >= s.deadline && s.obeys(RuleNoRevival) {
		s.authority = false
		s.endConsent() // to hand over
		if s.name == Active {
			s.become(Fencing, ReasonAuthorityExpired)
			s.orderFence(ReasonAuthorityExpired)
		}
	}
	// §3: a candidate whose own acknowledged flag gets older than TTL falls back.
	if until, _ := s.flagUntil(); s.name == Candidate && s.raised() && s.now >= until && s.obeys(RuleFlagExpires) {
		s.withdraw(ReasonFlagExpired)
	}
}

// handle takes one event in.
func (s *State) handle(ev Event) {
	switch ev := ev.(type) {
	case TermRead:
		s.termRead(ev)
	case TermWritten:
		s.termWritten(ev)
	case Tick:
	case FlagWritten:
		s.flagWritten(ev)
	case RoundRead:
		s.roundRead(ev)
	case InfoWritten:
		s.infoWritten(ev)
	case AuthoritySaved:
		s.authoritySaved(ev)
	case LayersFenced:
		if ev.ID == s.layers.order && s.layers.fenceBy != Never {
			s.layers.fenced = true
			s.clear(NoticeLayersLate, "")
		}
	case LayersActive:
		if ev.ID == s.layers.order && s.layers.fenceBy == Never {
			s.layers.active = true
		}
	case Asked:
		if !s.follows() { // the one that acts for the region answers
			s.questioned(ev)
		}
	case Answered:
		s.answered(ev)
	case HandOver:
		s.orderHandOver(ev)
	case Recall:
		s.recall()
	case Health:
		s.becomeHealth(ev)
	case Takeover:
		s.takeover(ev)
	case Approve:
		if s.now <= ev.Until && allOpen(s.ApproveGates(ev.Kind)) {
			s.permit()
		}
	case Pause:
		if allOpen(s.PauseGates()) {
			s.pause(ev.For)
		}
	case Release:
		s.release()
	default:
		s.illegal(fmt.Sprintf("unknown event %T", ev))
	}
}

// advance does what is due now.
func (s *State) advance() {
	s.judgeAlone()
	s.leave()
	s.hold()
	s.endHandOver()
	s.acquire()
	s.ask()
	s.askForApproval()
	for i := range s.witnesses {
		s.writeFlag(&s.witnesses[i])
	}
	for i := range s.witnesses {
		s.read(&s.witnesses[i])
	}
	for i := range s.witnesses {
		s.writeInfo(&s.witnesses[i])
	}
	s.watchLayers()
	s.keepTerm()
}
