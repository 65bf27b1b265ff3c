package lease

// A Gate is one condition of raising the flag or of taking, and whether it
// holds now. The list that State.Gates returns is what the state machine itself
// acts by, and what explain, status, metrics and log lines show.
type Gate struct {
	Code     ReasonCode
	Path     Path
	Open     bool
	Region   Region  // the member that it is about, if it is about one
	Evidence Instant // what it rests on; Never if there is nothing yet
	OpensAt  Instant // the earliest time at which it can open by waiting; Never if waiting alone does not open it
}

// A Path is a way to authority. The gates of no path are in the way of each.
type Path string

const (
	PathWitness Path = "witness" // by the flag, after all leases can have run out (§3)
	PathQuorum  Path = "quorum"  // by the pledges of all others, at once (§4)
)

// houseGates appends the gates of both paths: that the region's own house is in
// order.
func (s *State) houseGates(gates []Gate) []Gate {
	gate := func(code ReasonCode, open bool) {
		gates = append(gates, Gate{Code: code, Open: open, Evidence: Never, OpensAt: Never})
	}
	gate(GateStopping, !s.stopping)
	if s.shared() {
		gate(GateConfirmed, s.confirmed())
	}
	// §4: a region grants, or raises its flag, only when its own layers are known
	// to be fenced and its own authority, on disk too, is given up.
	gate(GateLayersFenced, s.layersFenced())
	gates = append(gates, Gate{Code: GateSavedGone, Open: s.savedGone(), Evidence: Never, OpensAt: max(s.saved.deadline, s.term.onRecord)})
	differs := Gate{Code: GateSameSafety, Open: true, Evidence: Never, OpensAt: Never}
	for j := range s.peers {
		if p := &s.peers[j]; p.differsAt != 0 && differs.Open && !s.most(p.agreesAt) && s.obeys(RuleSameSafety) {
			differs.Open, differs.Region = false, s.p.Members[j]
		}
	}
	return s.ownGates(append(gates, differs))
}

func (s *State) layersFenced() bool { return s.layers.fenced || !s.obeys(RuleLayersFencedFirst) }
func (s *State) savedGone() bool {
	return (s.now >= s.saved.deadline || !s.obeys(RuleLayersFencedFirst)) && !s.authorityOnRecord()
}

// instanceGates are those of what only the instance may do that acts for the region, when no
// other one can hold authority for it (§5).
func (s *State) instanceGates() []Gate {
	if !s.shared() {
		return nil
	}
	alone := commandGate(GateAlone, s.alone(), s.p.Region)
	alone.OpensAt = s.comes(s.aloneAt)
	return []Gate{commandGate(GateConfirmed, s.confirmed(), s.p.Region), alone}
}

// raiseGates appends the gates that a standby passes to raise its flag: that
// its own house is in order, and that every other lease can have run out (§3,
// suspect).
func (s *State) raiseGates(gates []Gate) []Gate {
	gates = s.houseGates(gates)
	known := Gate{Code: GatePeersKnown, Path: PathWitness, Open: s.most(s.allKnown), Evidence: Never, OpensAt: Never} // §3, first start
	for j := range s.peers {
		if !known.Open && known.Region == "" && !s.most(s.peers[j].known.at) {
			known.Region = s.p.Members[j]
		}
	}
	evidence, whose := s.lastEvidence()
	at := s.suspectAt()
	read := s.lastComplete()
	recent := read >= at && s.now < read.Add(s.p.TTL)
	return append(gates, known,
		Gate{GateSuspect, PathWitness, s.now >= at || s.name == Candidate, s.p.Members[whose], evidence, at},
		Gate{GateWitnessRead, PathWitness, recent || s.name == Candidate, "", s.completeSent(), Never})
}

// takeGates appends the gates that a candidate passes to become active, those
// for raising the flag among them (§3, take).
func (s *State) takeGates(gates []Gate) []Gate {
	gates = s.raiseGates(s.approvalGates(gates))
	raised := s.raised() && s.name == Candidate
	flag, settled, until := Never, Never, Never
	if raised {
		flag, settled = s.firstAck(), s.comes(s.settledAt)
		until, _ = s.flagUntil()
	}
	evidence, whose := s.lastEvidence()
	waited := s.comes(s.waitedAt)

	// The newest read of every other flag was sent no earlier than both, and
	// returned no never-seen record: that would be evidence and move `waited`.
	read := s.completeSent()
	gates = append(gates,
		Gate{GateFlagRaised, PathWitness, raised && (s.now < until || !s.obeys(RuleFlagExpires)), "", flag, Never},
		Gate{GateSettled, PathWitness, s.now >= settled, "", flag, settled},
		Gate{GateStalenessWait, PathWitness, s.now >= waited, s.p.Members[whose], evidence, waited},
		Gate{GateTakingRead, PathWitness, raised && s.most(s.shows), "", read, Never},
		Gate{GateReadBack, PathWitness, s.most(s.readsBack), s.p.Region, read, Never})
	if len(s.witnesses) > 1 {
		// Of two majorities that each pass a gate, neither may pass both.
		gates = append(gates, Gate{GateSameWitnesses, PathWitness, raised && s.most(s.passes) || !s.obeys(RuleSameWitnesses), "", read, Never})
	}
	if s.p.Quorum {
		gates = append(gates, Gate{GateOthersAsked, PathWitness, raised && s.asker.ended >= s.vetoAt() || !s.obeys(RuleActiveAnswer), "", s.asker.lastEnded(), Never})
	}
	return append(gates,
		Gate{GateEpoch, PathWitness, s.name != Candidate || s.epoch > s.highest || !s.obeys(RuleEpochAbove), "", Never, Never},
		Gate{GateMargin, PathWitness, raised && s.now < until.Add(-s.p.FenceTimeout), "", until, Never})
}

// quorumGates appends the gates of the path by pledges, beside those of the
// house (§4).
func (s *State) quorumGates(gates []Gate) []Gate {
	willing := Gate{Code: GateEveryoneWilling, Path: PathQuorum, Open: true, Evidence: s.asker.lastEnded(), OpensAt: Never}
	pledged := Gate{Code: GateEveryPledge, Path: PathQuorum, Open: true, Evidence: Never, OpensAt: Never}
	for j := range s.peers {
		p := &s.peers[j]
		if j == s.self || p.fenced {
			continue
		}
		if willing.Open && !(p.reached && p.said.Granted) {
			willing.Open, willing.Region = false, s.p.Members[j]
		}
		if pledged.Open && !(s.asker.verb == VerbPledge && s.counts(j)) {
			pledged.Open, pledged.Region = false, s.p.Members[j]
		}
	}
	return append(gates, willing, pledged)
}

// HandOverGates are the conditions of handing authority over to a region by
// HandOver: that it can be expected to take at once (§4).
func (s *State) HandOverGates(to Region) []Gate {
	gates := append([]Gate{
		commandGate(GateHasQuorum, s.p.Quorum, ""),
		commandGate(GateIsActive, s.name == Active, s.p.Region),
		commandGate(GateOtherMember, s.isOther(to), to),
	}, s.instanceGates()...)
	for k := range s.peers {
		if k != s.self {
			gates = append(gates, commandGate(GateEveryoneWilling, s.willing(k), s.p.Members[k]))
		}
	}
	// One that is degraded would hand it back at once, and one that is behind could not serve.
	return append(gates, commandGate(GateFit, !s.isOther(to) || s.peers[s.member(to)].said.fit(), to))
}

// TakeoverGates are the conditions of a Takeover: that this region could take, and if a region is
// named, that there is nothing against an operator's word that it is down (§4).
func (s *State) TakeoverGates(fenced Region) []Gate {
	gates := append([]Gate{commandGate(GateNotActive, s.name == Standby || s.name == Candidate, s.p.Region)}, s.instanceAct()...)
	if fenced == "" {
		return append(gates, commandGate(GateNoHolder, s.leaderless(), ""))
	}
	return append(gates,
		commandGate(GateHasQuorum, s.p.Quorum, ""),
		commandGate(GateOtherMember, s.isOther(fenced), fenced),
		commandGate(GatePeerSilent, !s.isOther(fenced) || !s.peers[s.member(fenced)].reached, fenced))
}

func commandGate(code ReasonCode, open bool, about Region) Gate {
	return Gate{Code: code, Open: open, Region: about, Evidence: Never, OpensAt: Never}
}

// isOther reports whether r is another member.
func (s *State) isOther(r Region) bool { return r != s.p.Region && s.member(r) != nobody }
