package lease

// hold keeps authority, and ends it in time (§2).
func (s *State) hold() {
	if s.name == Active {
		start := s.deadline.Add(-s.p.FenceTimeout)
		if !s.obeys(RuleFenceInTime) {
			start = s.deadline
		}
		// A region whose authority ends must already be fenced by then.
		if s.now >= start {
			s.become(Fencing, ReasonRenewalLate)
			s.orderFence(ReasonRenewalLate)
		}
	}
	if s.name == Fencing && s.layers.fenced && (!s.authority || s.abandon) {
		epoch := s.epoch
		s.giveUp()
		s.become(Standby, ReasonFenced)
		if epoch > 0 {
			s.beginHandOver(epoch)
		}
	}
}

// extend counts a base of authority that was sent at sent, when a beat was known to be written,
// and has been acknowledged now (§2).
func (s *State) extend(sent Instant, beat uint64) {
	until := sent.Add(s.p.TTL)
	if !s.obeys(RuleCountFromSending) {
		until = s.now.Add(s.p.TTL)
	}
	if !s.authority || s.abandon || until <= s.deadline {
		return
	}
	s.deadline, s.term.base = until, TermBase{s.epoch, beat, s.safetyHash}
	s.act(Extend{Deadline: until})
	s.save(Authority{Epoch: s.epoch, Deadline: until, BootID: s.bootID})
	if s.name == Fencing && s.now < until.Add(-s.p.FenceTimeout) {
		s.become(Active, ReasonRenewed)
		s.orderActivate(ReasonRenewed)
	}
}

// abandonAuthority begins to give authority up before its deadline: nothing
// extends it any more, it leaves the disk, and the layers fence if they do not
// already. It is given up when they are.
func (s *State) abandonAuthority(why ReasonCode) {
	s.abandon = true
	s.save(s.ended(s.epoch))
	if s.name == Active {
		s.become(Fencing, why)
		s.orderFence(why)
	}
}

// giveUp ends authority and candidacy.
func (s *State) giveUp() {
	if s.authority {
		s.endConsent() // to hand over
	}
	s.authority, s.abandon = false, false
	s.sawEpoch(s.self, s.epoch)
	s.epoch = 0
	s.loan.from = nobody
	s.endFlag()
	for i := range s.witnesses {
		s.probe(&s.witnesses[i])
	}
}

// release is the stop of the daemon. An instance that acts for its region leaves that to
// another one, if there is any (§5); but not a fence that is under way, nor a region that it hands over to: to leave those
// is to call them off, and nobody may be there.
func (s *State) release() {
	s.stopping = true
	switch {
	case s.follows():
		s.keepSaved()
	case s.shared() && s.confirmed() && (s.name != Fencing && s.handOver.to == nobody || !s.obeys(RuleStopFences)):
		s.resign()
	default:
		s.releaseRegion()
	}
}

// releaseRegion is the stop of a region's last instance: if it holds authority it hands it over
// if it can (§4); one without just stays standby, silently (§3, yield).
func (s *State) releaseRegion() {
	switch {
	case s.name == Candidate:
		s.withdraw(ReasonReleased)
	case s.authority && !s.abandon:
		s.handOver.to, s.handOver.ordered = s.successor(), false
		s.abandonAuthority(ReasonReleased)
	}
}

// ended is authority that has ended, of this region or of one that it has pledged to:
// what is left of it on disk is its epoch, which a restart must not use again.
func (s *State) ended(epoch uint64) Authority {
	return Authority{Epoch: epoch, Deadline: s.now, BootID: s.bootID, Term: s.term.held, Safety: s.safetyHash}
}

// save puts authority on disk, or that it has ended (§5).
func (s *State) save(a Authority) {
	a.Term, a.Safety = s.term.held, s.safetyHash
	s.saved.order, s.saved.removal = s.newID(), a.Deadline <= s.now
	s.saved.newest = s.saved.order
	s.saved.deadline, s.saved.epoch = max(s.saved.deadline, a.Deadline), max(s.saved.epoch, a.Epoch)
	s.act(SaveAuthority{ID: s.saved.order, Deadline: s.now.Add(s.p.RequestTimeout), Authority: a})
}

// remember puts an epoch on disk that this region has pledged to. It may be the only one
// that knows of it: while the witness is down no flag tells.
func (s *State) remember(epoch uint64) {
	s.saved.epoch, s.saved.newest = epoch, s.newID()
	s.act(SaveAuthority{ID: s.saved.newest, Deadline: s.now.Add(s.p.RequestTimeout), Authority: s.ended(epoch)})
}

func (s *State) authoritySaved(ev AuthoritySaved) {
	if s.layers.activateFor != 0 && ev.ID >= s.layers.activateFor {
		s.layers.activateBy = s.now // that or newer authority is written, or known not to be: act
	}
	if ev.ID == s.saved.newest {
		s.saved.failed = !ev.OK
	}
	if !ev.OK {
		s.alarm(NoticeSaveFailed, "", "")
		return
	}
	s.clear(NoticeSaveFailed, "")
	if ev.ID == s.saved.order && s.saved.removal {
		s.saved.deadline = 0
		s.tellSuccessor()
	}
}

// orderFence tells the layers to become inactive, by the deadline of the
// authority that ends or as soon as they can. It bears that authority's epoch and no other: a higher one, of
// somebody else, would stay on the layers' objects, which would then refuse to be activated for the own one again, and
// take data for newer than it is.
func (s *State) orderFence(why ReasonCode) {
	by := s.now.Add(s.p.FenceTimeout)
	if s.authority && s.deadline < by {
		by = s.deadline
	}
	s.layers = layerState{order: s.newID(), fenceBy: by}
	s.act(Fence{ID: s.layers.order, Deadline: by, Epoch: s.epoch, Term: s.term.held, Reason: why, Planned: why.Planned()})
}

// orderActivate tells the layers to become active.
func (s *State) orderActivate(why ReasonCode) {
	s.layers = layerState{order: s.newID(), fenceBy: Never}
	s.act(Activate{ID: s.layers.order, Deadline: s.deadline, Epoch: s.epoch, Term: s.term.held, Reason: why})
}

// watchLayers activates the layers when authority is on disk, and says so when
// they are late to fence.
func (s *State) watchLayers() {
	if s.layers.activateFor != 0 && s.name == Active && s.now >= s.layers.activateBy {
		s.orderActivate(s.reason)
	}
	if !s.layers.fenced && s.now >= s.layers.fenceBy {
		s.alarm(NoticeLayersLate, "", "")
	}
}
