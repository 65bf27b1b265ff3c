package lease

// A health is whether another region should be active rather than this one (§4).
type health struct {
	degraded  bool
	causes    []string
	behind    []string
	handOvers []Instant // for that reason, within the window, the oldest first
}

// becomeHealth takes in how the region is.
func (s *State) becomeHealth(ev Health) {
	if s.health.degraded != ev.Degraded && s.authority {
		s.asker.statusAt = s.now // who else is fit is to be known now, not as of the last round
	}
	if s.authority && !ev.Degraded {
		s.endConsent() // it was to hand over for that
	}
	s.health.degraded, s.health.causes, s.health.behind = ev.Degraded, ev.Causes, ev.Behind
	s.changeInfo()
}

// leaving reports whether this region is to hand over as soon as another one can take.
func (s *State) leaving() bool { return s.health.degraded && s.name == Active && s.p.MaxHandOvers > 0 }

// leave hands authority over while the region is degraded, to the first other one that
// is fit (§4).
func (s *State) leave() {
	h := &s.health
	for len(h.handOvers) > 0 && s.now >= h.handOvers[0].Add(s.p.HandOverWindow) {
		h.handOvers = h.handOvers[1:]
	}
	if !s.leaving() || !allOpen(s.LeaveGates()) {
		return
	}
	h.handOvers = append(h.handOvers, s.now)
	s.handOver.to, s.handOver.ordered = s.fit(s.p.Mode != ModeAutomatic), s.permitted()
	s.endConsent()
	s.abandonAuthority(ReasonDegraded)
}

// LeaveGates are the conditions on which a region that is active and degraded hands its
// authority over: that another one can be expected to take at once, and that authority
// does not go to and fro (§4). None of them is in the way of a lease that nobody holds.
func (s *State) LeaveGates() []Gate {
	gates := append([]Gate{commandGate(GateHasQuorum, s.p.Quorum, "")}, s.instanceGates()...)
	for j := range s.peers {
		if j != s.self {
			gates = append(gates, commandGate(GateEveryoneWilling, s.willing(j) && s.now < s.peers[j].saidAt.Add(s.p.RequestTimeout), s.p.Members[j]))
		}
	}
	gates = append(gates, commandGate(GateFit, s.fit(s.p.Mode != ModeAutomatic) != nobody, ""))
	opens := s.limitOpensAt()
	limit := commandGate(GateHandOverLimit, s.p.MaxHandOvers > 0 && opens == Never || !s.obeys(RuleHandOverLimit), s.p.Region)
	limit.OpensAt = opens
	return s.approvalGates(s.ownGates(append(gates, limit)))
}

// limitOpensAt is when the region may hand over again for being degraded; Never if it
// may now, or never may.
func (s *State) limitOpensAt() Instant {
	over := len(s.health.handOvers) - s.p.MaxHandOvers
	if over < 0 || s.p.MaxHandOvers == 0 {
		return Never
	}
	return s.health.handOvers[over].Add(s.p.HandOverWindow)
}

// willing reports whether region j has said that it would take a region's word that it
// hands over.
func (s *State) willing(j int) bool { return s.peers[j].reached && s.peers[j].said.Granted }

// fit is the first other region that answers and is neither degraded nor behind, or nobody. One that
// takes by an operator's word alone is none, but for a region that hands over by such a word.
func (s *State) fit(ordered bool) int {
	for j := range s.peers {
		if j != s.self && s.willing(j) && s.peers[j].said.fit() && (!s.peers[j].said.Waits || ordered) {
			return j
		}
	}
	return nobody
}
