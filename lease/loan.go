package lease

// loan is authority that an operator has handed over to have it back soon, as in a drill (§4, loan). It is in
// memory alone: an agent that was restarted knows of none, and nothing goes back by itself.
type loan struct {
	to          int     // whom this region has lent its authority to, or nobody
	recallUntil Instant // it asks for it back until then
	from        int     // who has lent it to this region, or nobody
}

// RecallGates are the conditions of a Recall: that the one that has it has it on loan.
func (s *State) RecallGates() []Gate {
	lent := Gate{Code: GateLent, Evidence: Never, OpensAt: Never}
	if s.loan.to != nobody {
		lent.Region = s.p.Members[s.loan.to]
		lent.Open = s.peers[s.loan.to].said.Authority && s.name == Standby
	}
	return append(s.instanceAct(), lent)
}

// recall asks for what was lent, again and again for as long as an operator's word is good.
func (s *State) recall() {
	if !allOpen(s.RecallGates()) {
		return
	}
	s.loan.recallUntil = s.now.Add(s.p.ApprovalTimeout)
	s.asker.statusAt = s.now
}

// recalling reports whether region j is asked for what was lent to it.
func (s *State) recalling(j int) bool {
	return j == s.loan.to && s.now < s.loan.recallUntil && !s.authority
}
