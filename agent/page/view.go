package page

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/lease"
)

// A view is what the templates are given.
type view struct {
	agent.Status
	Now     time.Time
	Starts  bool // the agent has not begun
	Follows bool // another instance acts for the region
	Holder  lease.Region

	Headline string
	Level    lease.Severity // of the worst problem; calm without one
	Verdict  string
	Problems []problem

	TTL       float64
	Remaining float64 // of authority, in percent of the TTL
	FenceAt   float64 // where fencing starts, in percent of the TTL
	Rows      []row
	Fallback  []fallback
	Paths     []path
	Earliest  float64 // in so many seconds this region takes over at the earliest, by the witness; 0 if that can't be told
	Resolvers bool    // there is a quorum
	Calls     []call  // of the witness, that fail

	History        []statedir.Entry // newest first
	HistoryTrouble string
}

// calm is the level of a page without problems.
const calm lease.Severity = "calm"

// A fallback is a region that is not active, and what is known to keep it from taking over.
type fallback struct {
	Region lease.Region
	Not    string // empty: nothing
	When   string // what it waits for, too
}

// A call is one that fails.
type call struct{ Call, Trouble string }

// A row is what is known of a region, this one too.
type row struct {
	Region lease.Region
	State  string
	Epoch  uint64
	Heard  *float64 // seconds since anything was heard of it; nil for this region
	Quorum *agent.PeerQuorum
	Note   string
}

// A path is the gates of one way to authority.
type path struct {
	Title      string
	Shut, Open []agent.GateStatus
}

func newView(s agent.Status, p *lease.Params, entries []statedir.Entry, trouble string) *view {
	v := &view{Status: s, Now: s.Time, Starts: s.State == "", Follows: s.State == lease.Follower, TTL: p.TTL.Seconds(), Resolvers: p.Quorum, HistoryTrouble: trouble}
	for _, e := range entries {
		v.History = append([]statedir.Entry{e}, v.History...)
	}
	v.Holder = s.Active(p)
	if v.Follows && s.Instance != nil && s.Instance.ProvesFor > 0 {
		v.Holder = s.Region
	}
	if s.Authority {
		v.Remaining = min(100, 100*s.AuthorityRemaining/v.TTL)
		v.FenceAt = 100 * p.FenceTimeout.Seconds() / v.TTL
	}
	v.Problems = problems(v, p)
	v.Headline, v.Level, v.Verdict = v.headline(), calm, "Nothing is wrong, as far as this agent sees"
	if v.Follows {
		v.Verdict = "Nothing is wrong with this instance"
	}
	if n := len(v.Problems); n > 0 {
		v.Level = v.Problems[0].Severity
		what, how := "1 problem", "look into it"
		if n > 1 {
			what = fmt.Sprintf("%d problems", n)
		}
		if v.Level == lease.Critical {
			how = "act now"
		}
		v.Verdict = what + ": " + how
	}
	v.Paths, v.Rows, v.Fallback = paths(s), v.rows(), v.fallbacks()
	for _, g := range s.Gates {
		if s.Witness.Up && !g.Open && g.Path != lease.PathQuorum && g.OpensIn != nil {
			v.Earliest = max(v.Earliest, *g.OpensIn)
		}
	}
	for _, op := range slices.Sorted(maps.Keys(s.Witness.Trouble)) {
		if ofWitness(op) {
			v.Calls = append(v.Calls, call{op, s.Witness.Trouble[op]})
		}
	}
	return v
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
			all = append(all, fallback{p.Region, unfit(p), waits[p.Mode]})
		}
	}
	return all
}

// waits are what a region waits for in a mode before it takes.
var waits = map[lease.Mode]string{lease.ModeSemiAutomatic: "an operator approves", lease.ModeManual: "an operator orders it to"}

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

// headline says who is active. Nothing in it changes with time alone.
func (v *view) headline() string {
	switch {
	case v.Starts:
		return fmt.Sprintf("The agent of %s is starting", v.Region)
	case v.State == lease.Fencing && v.Authority:
		return fmt.Sprintf("%s is fencing, and holds authority until it has", v.Region)
	case v.Holder != "":
		return fmt.Sprintf("%s is active", v.Holder)
	case v.Follows && v.Instance != nil && v.Instance.Leader != "":
		return fmt.Sprintf("Instance %s acts for %s", v.Instance.Leader, v.Region)
	case v.Follows:
		return fmt.Sprintf("No instance acts for %s yet", v.Region)
	}
	return "No region is known to be active"
}

// News is what is said aloud when it changes.
func (v *view) News() string {
	titles := []string{}
	for _, p := range v.Problems {
		titles = append(titles, p.Title)
	}
	return fmt.Sprintf("%s. %s. %s", v.Headline, v.Verdict, strings.Join(titles, "; "))
}

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

// LastHolder is Status.Holder, which this region's own view of who is active hides.
func (v *view) LastHolder() lease.Region { return v.Status.Holder }

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

// Ago is how long ago a time of the wall clock was, in seconds.
func (v *view) Ago(t time.Time) float64 { return v.Now.Sub(t).Seconds() }

// Why is what a reason is called.
func (v *view) Why(code lease.ReasonCode) string { return lease.ReasonOf(code).Title }
