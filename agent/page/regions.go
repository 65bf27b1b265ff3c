package page

import (
	"slices"
	"strings"

	g "maragu.dev/gomponents"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/lease"
)

// A fallback is a region that is not active, and what is known to keep it from taking over.
type fallback struct {
	Region lease.Region
	Not    string // empty: nothing
	When   string // what else it takes
}

// A row is what is known of a region, this one too.
type row struct {
	Region lease.Region
	State  string
	Epoch  uint64
	Heard  *float64 // seconds since anything was heard of it; nil for this region
	Quorum *agent.PeerQuorum
	Note   string
}

// rows are the regions, in the order of the members.
func (v *view) rows() (all []row) {
	if v.Starts || v.Follows {
		return nil // which knows of none
	}
	peers := map[lease.Region]agent.PeerStatus{}
	for _, p := range v.Peers {
		peers[p.Region] = p
	}
	for _, m := range v.Members {
		if m == v.Region {
			all = append(all, row{Region: m, State: string(v.State), Epoch: v.Epoch, Note: "this one"})
			continue
		}
		p := peers[m]
		heard := p.EvidenceAge
		for _, age := range []*float64{p.RecordAge, answerAge(p)} {
			if age != nil {
				heard = min(heard, *age)
			}
		}
		all = append(all, row{m, v.stateOf(p), p.Epoch, &heard, p.Quorum, v.noteOn(p)})
	}
	return all
}

// fallbacks are the regions that are not active, and whether they could be.
func (v *view) fallbacks() (all []fallback) {
	if v.Starts || v.Follows {
		return nil
	}
	if v.Region != v.Holder {
		all = append(all, fallback{v.Region, v.unfitHere(), waits[v.Mode]})
	}
	for _, p := range v.Peers {
		if p.Region != v.Holder {
			when := waits[p.Mode]
			if p.Quorum == nil { // and a standby writes nothing
				when = strings.TrimPrefix(when+" and if its agent runs, which can't be seen without the quorum", " and ")
			}
			all = append(all, fallback{p.Region, unfit(p), when})
		}
	}
	return all
}

// waits are what a region waits for in a mode, before it takes.
var waits = map[lease.Mode]string{lease.ModeSemiAutomatic: "when an operator approves", lease.ModeManual: "when an operator orders it to"}

// paused is what keeps a region from taking over that an operator has paused.
const paused = "it is paused, and decides nothing by itself"

// unfitHere is what is known to keep this region from taking over, beside that another one is active.
func (v *view) unfitHere() string {
	for _, g := range v.Gates {
		if g.Path != lease.PathQuorum && !g.Open && slices.Contains(lasting, g.Code) {
			return "closed is the gate “" + g.Title + "”"
		}
	}
	switch {
	case v.Paused != nil:
		return paused
	case v.Health != nil && v.Health.Degraded:
		return "it is degraded"
	case len(v.Behind) > 0:
		return "its data is behind"
	}
	return ""
}

// lasting are gates that, when they are closed, don't open with time.
var lasting = []lease.ReasonCode{lease.GateStopping, lease.GateLayersFenced, lease.GateSavedGone, lease.GatePeersKnown, lease.GateSameSafety, lease.GateConfirmed}

// unfit is what is known to keep a region from taking over.
func unfit(p agent.PeerStatus) string {
	switch {
	case !p.Known:
		return "its info record has never been seen"
	case len(p.Differs) > 0:
		return "it runs with other parameters: " + strings.Join(p.Differs, ", ")
	case p.Paused:
		return paused
	case len(p.Degraded) > 0:
		return "it is degraded: " + strings.Join(p.Degraded, ", ")
	case p.Quorum != nil && p.Quorum.Reached && p.Quorum.Degraded:
		return "it is degraded"
	case len(p.Behind) > 0:
		return "its data is behind: " + strings.Join(p.Behind, ", ")
	case p.Quorum != nil && p.Quorum.Reached && p.Quorum.Behind:
		return "its data is behind"
	case p.Quorum != nil && !p.Quorum.Reached:
		return "it does not answer through the resolvers"
	}
	return ""
}

// stateOf is the state of another region as it says itself, through the quorum, or as its newest record has it.
func (v *view) stateOf(p agent.PeerStatus) string {
	switch {
	case p.Quorum != nil && p.Quorum.Reached && p.Quorum.State != "":
		return string(p.Quorum.State)
	case p.State == string(lease.FlagActive) && p.Region != v.Holder:
		return "was active" // its lease can have run out, or another one is active by now
	}
	return p.State
}

func answerAge(p agent.PeerStatus) *float64 {
	if p.Quorum == nil {
		return nil
	}
	return p.Quorum.AnswerAge
}

// noteOn is what there is to say of another region.
func (v *view) noteOn(p agent.PeerStatus) string {
	notes := []string{}
	if p.Region == v.Holder {
		notes = append(notes, "holds authority")
	}
	if why := unfit(p); why != "" && (p.Quorum == nil || p.Quorum.Reached) {
		notes = append(notes, why)
	} else if p.RecordAge == nil && p.Quorum == nil {
		notes = append(notes, "a standby is silent")
	}
	if p.Mode != "" && p.Mode != lease.ModeAutomatic {
		notes = append(notes, string(p.Mode))
	}
	if p.Quorum != nil && p.Quorum.DeclaredFenced {
		notes = append(notes, "declared down and fenced by an operator")
	}
	return strings.Join(notes, "; ")
}

// regions are the rows as a table.
func (v *view) regions() g.Node {
	if len(v.Rows) == 0 {
		return nil
	}
	columns := []string{"Region", "State", "Epoch", "Last heard of", "Resolvers", "Note"}
	if !v.Resolvers {
		columns = slices.Delete(columns, 4, 5)
	}
	return section("regions", "Regions", table(columns, each(v.Rows, func(r row) g.Node {
		var heard g.Group
		if r.Heard != nil {
			heard = say(v.since(*r.Heard), " ago")
		}
		cells := g.Group{cell("State", marked(r.State), " ", r.State), cell("Epoch", when(r.Epoch != 0, r.Epoch)), cell("Last heard of", heard)}
		if v.Resolvers {
			cells = append(cells, cell("Resolvers", v.through(r.Quorum)))
		}
		return tableRow(r.Region, append(cells, cell("Note", r.Note))...)
	})))
}

// through is what a region says through the resolvers.
func (v *view) through(q *agent.PeerQuorum) g.Node {
	switch {
	case q == nil:
		return nil
	case !q.Reached && q.AnswerAge == nil:
		return say(marked(false), " it does not answer")
	case !q.Reached:
		return say(marked(false), " it does not answer; it did ", v.since(*q.AnswerAge), " ago")
	case q.Willing:
		return say(marked(true), " it answers; would pledge")
	case q.Why != "":
		return say(marked(true), " it answers; would not pledge: ", why(q.Why))
	}
	return say(marked(true), " it answers")
}
