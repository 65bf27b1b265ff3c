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

// A view is what is shown.
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

	History        []statedir.Episode // newest first
	HistoryTrouble string
}

// calm is the level of a page without problems.
const calm lease.Severity = "calm"

// A call is one that fails.
type call struct{ Call, Trouble string }

func newView(s agent.Status, p *lease.Params, entries []statedir.Episode, trouble string) *view {
	v := &view{Status: s, Now: s.Time, Starts: s.State == "", Follows: s.State == lease.Follower, TTL: p.TTL.Seconds(), Resolvers: p.Quorum, HistoryTrouble: trouble}
	for _, e := range entries {
		v.History = append([]statedir.Episode{e}, v.History...)
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

// news is what is said aloud when it changes.
func (v *view) news() string {
	titles := []string{}
	for _, p := range v.Problems {
		titles = append(titles, p.Title)
	}
	return fmt.Sprintf("%s. %s. %s", v.Headline, v.Verdict, strings.Join(titles, "; "))
}

// lastHolder is Status.Holder, which this region's own view of who is active hides.
func (v *view) lastHolder() lease.Region { return v.Status.Holder }

// ago is how long ago a time of the wall clock was, in seconds.
func (v *view) ago(t time.Time) float64 { return v.Now.Sub(t).Seconds() }

// why is what a reason is called.
func why(code lease.ReasonCode) string { return lease.ReasonOf(code).Title }
