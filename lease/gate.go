package lease

// A Gate is one condition of raising the flag or of taking, and whether it
// holds now. The list that State.Gates returns is what the state machine itself
// acts by, and what explain, status, metrics and log lines show.
type Gate struct {
	Code     ReasonCode
	Open     bool
	Region   Region  // the member that it is about, if it is about one
	Evidence Instant // what it rests on; Never if there is nothing yet
	OpensAt  Instant // the earliest time at which it can open by waiting; Never if waiting alone does not open it
}

// raiseGates appends the gates that a standby passes to raise its flag: that
// its own house is in order, and that every other lease can have run out (§3,
// suspect).
func (s *State) raiseGates(gates []Gate) []Gate {
	gate := func(code ReasonCode, open bool) { gates = append(gates, Gate{code, open, "", Never, Never}) }

	gate(GateStopping, !s.stopping)
	// §4: a region raises its flag only when its own layers are known to be
	// fenced and its own authority, on disk too, is given up.
	gate(GateLayersFenced, s.layers.fenced || !s.obeys(RuleLayersFencedFirst))
	gates = append(gates, Gate{GateSavedGone, s.now >= s.saved.deadline || !s.obeys(RuleLayersFencedFirst), "", Never, s.saved.deadline})

	// §3, first start.
	known, differs := Gate{GatePeersKnown, true, "", Never, Never}, Gate{GateSameSafety, true, "", Never, Never}
	for j := range s.peers {
		if !s.peers[j].known && known.Open && s.obeys(RulePeersKnown) {
			known.Open, known.Region = false, s.p.Members[j]
		}
		if len(s.peers[j].differs) > 0 && differs.Open && s.obeys(RuleSameSafety) {
			differs.Open, differs.Region = false, s.p.Members[j]
		}
	}
	gates = append(gates, known, differs)

	evidence, whose := s.lastEvidence()
	at := s.suspectAt()
	gates = append(gates, Gate{GateSuspect, s.now >= at || s.name == Candidate, s.p.Members[whose], evidence, at})
	read := s.reader.lastComplete()
	recent := read >= at && s.now < read.Add(s.p.TTL)
	return append(gates, Gate{GateWitnessRead, recent || s.name == Candidate, "", s.reader.complete, Never})
}

// takeGates appends the gates that a candidate passes to become active, those
// for raising the flag among them (§3, take).
func (s *State) takeGates(gates []Gate) []Gate {
	gates = s.raiseGates(gates)
	raised := s.own.raised && s.name == Candidate
	flag := Never
	if raised {
		flag = s.own.firstAck
	}
	gates = append(gates, Gate{GateFlagRaised, raised && (s.now < s.own.until || !s.obeys(RuleFlagExpires)), "", flag, Never})
	settled := Never
	if raised {
		settled = s.settledAt()
	}
	gates = append(gates, Gate{GateSettled, s.now >= settled, "", flag, settled})
	evidence, whose := s.lastEvidence()
	waited := s.waitedAt()
	gates = append(gates, Gate{GateStalenessWait, s.now >= waited, s.p.Members[whose], evidence, waited})

	// The newest read of every other flag was sent no earlier than both, and
	// returned no never-seen record: that would be evidence and move `waited`.
	read := s.reader.lastComplete()
	due := max(settled, waited)
	if !s.obeys(RuleMissingIsNotFree) && evidence == -Never {
		due = -Never
	}
	gates = append(gates, Gate{GateTakingRead, raised && read >= due, "", s.reader.complete, Never})
	gates = append(gates, Gate{GateReadBack, read != -Never && s.reader.ownFresh || !s.obeys(RuleReadBack), s.p.Region, s.reader.complete, Never})
	gates = append(gates, Gate{GateEpoch, s.name != Candidate || s.epoch > s.highest || !s.obeys(RuleEpochAbove), "", Never, Never})
	until := Never
	if raised {
		until = s.own.until
	}
	return append(gates, Gate{GateMargin, raised && s.now < until.Add(-s.p.FenceTimeout), "", until, Never})
}
