package page

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/notify"
)

// A problem is something that is wrong, and what to do.
type problem struct {
	Severity lease.Severity
	Title    string
	About    string // a region, a witness, or a part of this region; several, if all else is the same
	Text     string
	Detail   string
	Remedy   string
	Runbook  string // where to read on
}

// noHolder is the runbook of what no reason is of: an agent can't know that nobody is active.
const noHolder = "https://github.com/openova-io/failoverd/blob/main/docs/runbooks/FailoverdNoHolder.md"

// problems are all that the status tells of, the worst first.
func problems(v *view, p *lease.Params) (all []problem) {
	add := func(of problem) { all = append(all, of) }
	reason := func(code lease.ReasonCode, about, detail string) {
		r := lease.ReasonOf(code)
		add(problem{r.Severity, r.Title, about, r.Text, detail, r.Remedy, notify.Runbook(code)})
	}
	if v.Starts {
		return nil
	}
	alarmed := map[lease.ReasonCode]bool{}
	for _, a := range v.Alarms {
		alarmed[a.Code] = true
		add(problem{a.Severity, a.Title, a.About(), a.Text, a.Detail, a.Remedy, notify.Runbook(a.Code)})
	}

	// As the alert FailoverdAuthorityRunningOut has it.
	late := (p.TTL - p.RenewInterval + p.FenceTimeout).Seconds() / 2
	switch {
	case v.State == lease.Active && !v.Authority:
		reason(lease.ReasonAuthorityExpired, string(v.Region), "its loop has not noticed: GET /healthz says for how long it has been stuck")
	case v.State == lease.Active && v.AuthorityRemaining < late:
		add(problem{lease.Critical, "authority runs out", string(v.Region),
			"the lease is not being renewed: the region fences before its authority ends, and another one takes over",
			"", "check the way to the witness from this region", notify.Runbook(lease.ReasonRenewalLate)})
	case v.Holder == "" && !v.Follows && v.State != lease.Fencing:
		add(problem{lease.Critical, "nobody is active", "",
			"no region has shown that it holds authority for as long as a lease lasts",
			"", v.wayOut(), noHolder})
	}
	if i := v.Instance; i != nil && i.Acts && !i.Confirmed && !alarmed[lease.NoticeTermUnreachable] {
		reason(lease.GateConfirmed, i.Name, i.Trouble)
	}
	for _, l := range v.Layers {
		if l.Trouble != "" {
			add(problem{lease.Warning, "a layer is in trouble", l.Name, fmt.Sprintf("it is %s, and was kept from what the region has it do", l.State),
				l.Trouble, "mend what keeps it; it is tried again until it is done", ""})
		}
	}
	if !v.Witness.Up && !v.Follows && !alarmed[lease.NoticeWitnessDown] {
		reason(lease.NoticeWitnessDown, "", "")
	}
	for _, call := range slices.Sorted(maps.Keys(v.Witness.Trouble)) {
		// What keeps it from the witness or another region is told above, when it lasts.
		if !ofWitness(call) && !strings.HasPrefix(call, "ask ") {
			add(problem{lease.Warning, "something fails", strings.ReplaceAll(call, "_", " "), "the agent goes on without it, and tries again", v.Witness.Trouble[call], "mend what the message names", ""})
		}
	}
	for _, g := range v.Gates {
		// Of gates that are closed these are not closed for the time being.
		if !g.Open && !v.Authority && !v.Follows && (g.Code == lease.GatePeersKnown || g.Code == lease.GateSameSafety && !alarmed[lease.NoticeSafetyDiffers]) {
			add(problem{g.Severity, "this region can't take over: not " + g.Title, string(g.Region), "what must hold, and does not: " + g.Text, "", g.Remedy, ""})
		}
	}
	all = together(append(all, illness(v)...))
	loud := map[lease.Severity]int{lease.Critical: 0, lease.Warning: 1}
	slices.SortStableFunc(all, func(a, b problem) int {
		rank := func(s lease.Severity) int {
			if n, ok := loud[s]; ok {
				return n
			}
			return len(loud)
		}
		return cmp.Compare(rank(a.Severity), rank(b.Severity))
	})
	return all
}

// wayOut is what to do when nobody is active.
func (v *view) wayOut() string {
	ways := []string{}
	switch {
	case v.Approval != nil:
		ways = append(ways, "failoverd approve, or failoverd deny")
	case v.Mode == lease.ModeManual:
		ways = append(ways, "failoverd takeover here, or in another region")
	}
	if !v.Witness.Up {
		ways = append(ways, "mend the way to the witness")
	}
	for _, p := range v.Peers {
		if p.Quorum != nil && !p.Quorum.Reached && !p.Quorum.DeclaredFenced {
			ways = append(ways, fmt.Sprintf("start the agent of %s; or, if that region is down for certain and stays down: failoverd takeover --peer-is-fenced %s", p.Region, p.Region))
		}
	}
	return strings.Join(append(ways, "see under “Taking over” what this region waits for, and on the pages of the others, which may know more"), "; ")
}

// together makes one of those that differ in what they are about alone.
func together(all []problem) (fewer []problem) {
	for _, p := range all {
		i := slices.IndexFunc(fewer, func(q problem) bool {
			q.About = p.About
			return q == p
		})
		if i < 0 {
			fewer = append(fewer, p)
		} else if !slices.Contains(strings.Split(fewer[i].About, ", "), p.About) {
			fewer[i].About += ", " + p.About
		}
	}
	return fewer
}

// ofWitness reports whether a call that fails is of the witness.
func ofWitness(call string) bool {
	op, _, _ := strings.Cut(call, " ") // and which of several
	return op == "write_flag" || op == "write_info" || op == "read_round"
}

// illness is what ails this region and the others.
func illness(v *view) (all []problem) {
	add := func(title, about, text, detail, remedy string) {
		all = append(all, problem{lease.Warning, title, about, text, detail, remedy, ""})
	}
	if h := v.Health; h != nil && h.Degraded {
		text, ill := "another region should be active rather than this one", []string{}
		for _, s := range h.Signals {
			if s.Verdict == health.Ill {
				ill = append(ill, strings.TrimSpace(s.Name+" "+s.Detail))
			}
		}
		if len(ill) == 0 {
			ill = append(ill, "it recovers")
		}
		add("the region is degraded", string(v.Region), text, strings.Join(ill, "; "), "mend what its probes find ill")
	}
	if len(v.Behind) > 0 {
		add("data is too far behind", string(v.Region), "this region can't be promoted without losing it", strings.Join(v.Behind, "; "), "see what holds its replication up")
	}
	if g := v.GPUs; g != nil {
		ill := slices.DeleteFunc(slices.Clone(g.GPUs), func(g agent.GPUStatus) bool { return g.Condition != gpu.Unhealthy })
		if len(ill) > 0 {
			add("GPUs are unhealthy", string(v.Region), fmt.Sprintf("%d of %d", len(ill), len(g.GPUs)), "", "failoverd status says which, and why")
		}
		if g.Trouble != "" {
			add("GPUs can't be read", g.Source, "what is known of them is of before", g.Trouble, "mend what the message names")
		}
	}
	for _, p := range v.Peers {
		answers := p.Quorum != nil && p.Quorum.Reached
		if len(p.Degraded) > 0 || answers && p.Quorum.Degraded {
			add("another region is degraded", string(p.Region), "it would not serve well, if it took over", strings.Join(p.Degraded, "; "), "see its own page")
		}
		if len(p.Behind) > 0 || answers && p.Quorum.Behind {
			add("data of another region is too far behind", string(p.Region), "it would lose that, if it took over", strings.Join(p.Behind, "; "), "see its own page")
		}
	}
	return all
}
