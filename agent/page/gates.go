package page

import (
	"fmt"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"

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

// gates are those ways, with what keeps each closed.
func (v *view) gates() g.Node {
	if len(v.Paths) == 0 {
		return nil
	}
	return section("gates", either(v.Authority, "Handing over", "Taking over"),
		when(v.Holder != "" && !v.Authority, classed(h.P, "quiet", v.Holder, " is active: while it is, some of these stay closed, and that is right.")),
		each(v.Paths, func(p path) g.Node {
			counts := []string{}
			if n := len(p.Shut); n > 0 {
				counts = append(counts, fmt.Sprintf("%d closed", n))
			}
			if n := len(p.Open); n > 0 {
				counts = append(counts, fmt.Sprintf("%d open", n))
			}
			return say(
				h.H3(say(p.Title, " ", quiet(strings.Join(counts, ", ")))),
				when(len(p.Shut) > 0, h.Ul(h.Class("gates"), each(p.Shut, v.gate))),
				when(len(p.Open) > 0, h.Details(h.Summary(say("Open: ", titles(p.Open))), h.Ul(h.Class("gates"), each(p.Open, v.gate)))))
		}))
}

// titles are those of gates, in one line.
func titles(gates []agent.GateStatus) string {
	all := []string{}
	for _, g := range gates {
		title := g.Title
		if g.Region != "" {
			title += fmt.Sprintf(" (%s)", g.Region)
		}
		all = append(all, title)
	}
	return strings.Join(all, ", ")
}

func (v *view) gate(of agent.GateStatus) g.Node {
	word := either(of.Open, "open", "closed") // that one is closed is nothing bad
	var opens, evidence g.Node
	if of.OpensIn != nil && !of.Open {
		opens = say(" ", classed(h.Strong, "opens", "opens in ", v.until(*of.OpensIn), " at the earliest"))
	}
	if of.EvidenceAge != nil {
		evidence = say("; its evidence is ", v.since(*of.EvidenceAge), " old")
	}
	return h.Li(h.Class(either(of.Open, "open", "shut")), marked(word), g.Text(" "), classed(h.Span, "gate",
		strong(of.Title), " ", classed(h.Span, "word", word), when(of.Region != "", " ", classed(h.Span, "about", of.Region)), opens, "\n",
		classed(h.Span, "rests", of.Text, evidence),
		when(of.Remedy != "" && !of.Open, classed(h.Span, "rests", "If it stays closed: ", of.Remedy))))
}
