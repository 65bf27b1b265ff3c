package page

import (
	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/lease"
)

// A path is the gates of one way to authority.
type path struct {
	Title      string
	Shut, Open []agent.GateStatus
}

// paths are the gates of taking; those of handing over where that is due.
func paths(s agent.Status) (all []path) {
	add := func(title string, gates []agent.GateStatus) {
		one := path{Title: title}
		for _, g := range gates {
			if g.Open {
				one.Open = append(one.Open, g)
			} else {
				one.Shut = append(one.Shut, g)
			}
		}
		if len(gates) > 0 {
			all = append(all, one)
		}
	}
	if s.State == lease.Follower {
		return nil // which knows of none
	}
	if s.Authority {
		if s.Health != nil {
			add("It is degraded, and hands over as soon as all of these hold", s.Health.Gates)
		}
		return all
	}
	by := map[lease.Path][]agent.GateStatus{}
	for _, g := range s.Gates {
		by[g.Path] = append(by[g.Path], g)
	}
	add("It takes over when all of these hold", by[""])
	if len(by[lease.PathQuorum]) == 0 {
		add("and these", by[lease.PathWitness])
		return all
	}
	add("and, by the witness, these: the lease of every other region can have run out", by[lease.PathWitness])
	add("or, by the quorum, these: every other region agrees", by[lease.PathQuorum])
	return all
}

// A gate is one, and the page that it is on.
type gate struct {
	agent.GateStatus
	View *view
}

// Of is what the template of a gate is given.
func (v *view) Of(g agent.GateStatus) gate { return gate{g, v} }

// Mark is the sign of a gate: that one is closed is nothing bad.
func (g gate) Mark() string {
	if g.Open {
		return "open"
	}
	return "closed"
}
