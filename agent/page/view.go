package page

import (
	"fmt"
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
	Fallback  []fallback
	Paths     []path
	Resolvers bool // there is a quorum

	History        []statedir.Entry // newest first
	HistoryTrouble string
}

// calm is the level of a page without problems.
const calm lease.Severity = "calm"

// A fallback is another region, and what is known to keep it from taking over.
type fallback struct {
	Region lease.Region
	Not    string // empty: nothing
}

// A path is the gates of one way to authority.
type path struct {
	Title string
	Gates []agent.GateStatus
	Shut  int // how many are not open
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
	v.Headline, v.Level, v.Verdict = v.headline(), calm, "nothing is wrong, as far as this agent sees"
	if v.Follows {
		v.Verdict = "nothing is wrong with this instance"
	}
	if len(v.Problems) > 0 {
		v.Level, v.Verdict = v.Problems[0].Severity, "look into it"
		if v.Level == lease.Critical {
			v.Verdict = "act now"
		}
	}
	for _, peer := range s.Peers {
		v.Fallback = append(v.Fallback, fallback{peer.Region, unfit(peer)})
	}
	v.Paths = paths(s)
	return v
}

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
	return fmt.Sprintf("%s: %s. %s", v.Headline, v.Verdict, strings.Join(titles, "; "))
}

// unfit is what is known to keep a region from taking over.
func unfit(p agent.PeerStatus) string {
	switch {
	case !p.Known:
		return "its info record has never been seen"
	case len(p.Differs) > 0:
		return "it runs with other parameters: " + strings.Join(p.Differs, ", ")
	case len(p.Degraded) > 0:
		return "it is degraded: " + strings.Join(p.Degraded, ", ")
	case len(p.Behind) > 0:
		return "its data is behind: " + strings.Join(p.Behind, ", ")
	case p.Quorum != nil && !p.Quorum.Reached:
		return "it does not answer through the resolvers"
	}
	return ""
}

// paths are the gates of taking; those of handing over where that is due.
func paths(s agent.Status) (all []path) {
	add := func(title string, gates []agent.GateStatus) {
		one := path{Title: title, Gates: gates}
		for _, g := range gates {
			if !g.Open {
				one.Shut++
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

// StateOf is the state of another region as it says itself, through the quorum, or as its newest record has it.
func (v *view) StateOf(p agent.PeerStatus) string {
	if p.Quorum != nil && p.Quorum.Reached && p.Quorum.State != "" {
		return string(p.Quorum.State)
	}
	return p.State
}

// NoteOn is what there is to say of another region.
func (v *view) NoteOn(p agent.PeerStatus) string {
	notes := []string{}
	if p.Region == v.Holder {
		notes = append(notes, "holds authority")
	}
	if why := unfit(p); why != "" {
		notes = append(notes, why)
	} else if p.RecordAge == nil && p.Quorum == nil {
		notes = append(notes, "a standby is silent")
	}
	if p.Quorum != nil && p.Quorum.DeclaredFenced {
		notes = append(notes, "declared down and fenced by an operator")
	}
	return strings.Join(notes, "; ")
}

// Why is what a reason is called.
func (v *view) Why(code lease.ReasonCode) string { return lease.ReasonOf(code).Title }
