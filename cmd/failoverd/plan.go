package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/lease"
)

// A plan is what an operation would do, for whoever is to say yes to it.
type plan struct {
	Title string     `json:"title"`
	Steps []planStep `json:"steps,omitempty"`
	Notes []string   `json:"notes,omitempty"` // what is at stake
}

type planStep struct {
	What    string  `json:"what"`
	Seconds float64 `json:"at_most_seconds,omitempty"` // 0: no time of its own
}

func (p *plan) step(limit time.Duration, format string, args ...any) {
	p.Steps = append(p.Steps, planStep{fmt.Sprintf(format, args...), limit.Seconds()})
}

func (p *plan) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

func (p plan) print(out io.Writer) {
	fmt.Fprintf(out, "%s\n", p.Title)
	if len(p.Steps) > 0 {
		fmt.Fprintln(out)
	}
	for i, s := range p.Steps {
		limit := ""
		if s.Seconds > 0 {
			limit = fmt.Sprintf(" (at most %s)", seconds(s.Seconds))
		}
		fmt.Fprintf(out, "  %d. %s%s\n", i+1, s.What, limit)
	}
	if len(p.Notes) > 0 {
		fmt.Fprintln(out)
	}
	for _, n := range p.Notes {
		fmt.Fprintf(out, "  - %s\n", n)
	}
	fmt.Fprintln(out)
}

// layerNames are those of the region, as they are activated, or fenced for a planned hand-over.
func layerNames(s agent.Status, fencing bool) string {
	var names []string
	for _, l := range s.Layers {
		names = append(names, l.Name)
	}
	if len(names) == 0 {
		return "it has none"
	}
	if fencing {
		slices.Reverse(names)
		return "from the outside in: " + strings.Join(names, ", ")
	}
	return "from the inside out: " + strings.Join(names, ", ")
}

// handOverSteps are those of authority that goes to another region; to is empty if nobody has said to which.
func (p *plan) handOverSteps(cfg *config.Config, s agent.Status, to lease.Region) time.Duration {
	fence, request := time.Duration(cfg.Lease.FenceTimeout), time.Duration(cfg.Lease.RequestTimeout)
	whom := string(to)
	if to == "" {
		whom = "the first region that is fit"
	}
	p.step(fence, "%s fences its layers, %s", s.Region, layerNames(s, true))
	p.step(0, "%s gives its authority for epoch %d up, on disk too", s.Region, s.Epoch)
	p.step(2*request, "%s is told, asks every region for its pledge, and takes", whom)
	p.step(0, "%s activates its layers", whom)
	p.note("nobody is active from the first step until the third is done: at most %s", seconds((fence + 2*request).Seconds()))
	p.data(s, to)
	p.note("if it does not take, the regions that are left take it up again, each as its mode says: %s", modesText(s))
	return fence + 2*request
}

// takeSteps are those of this region becoming active.
func (p *plan) takeSteps(cfg *config.Config, s agent.Status, wait time.Duration) time.Duration {
	request := time.Duration(cfg.Lease.RequestTimeout)
	if wait > 0 {
		p.step(wait, "%s waits until no lease of another region can stand, or until every other one has pledged", s.Region)
	}
	p.step(2*request, "%s takes, and writes its authority to disk", s.Region)
	p.step(0, "%s activates its layers, %s", s.Region, layerNames(s, false))
	if s.Holder != "" && s.Holder != s.Region {
		p.note("the last known holder is %s: what it wrote and has not replicated is not there", s.Holder)
	}
	if len(s.Behind) > 0 {
		p.note("data that is too far behind HERE: %s", strings.Join(s.Behind, ", "))
	}
	for _, peer := range s.Peers {
		if peer.Quorum != nil && peer.Quorum.Reached {
			p.note("%s answers: it is %s%s", peer.Region, peer.Quorum.State, modeText(peer.Mode, peer.Paused))
			if peer.Quorum.State == lease.Candidate {
				p.note("%s is about to take itself, and may be in the way: failoverd deny there first", peer.Region)
			}
		} else {
			p.note("%s does not answer%s", peer.Region, modeText(peer.Mode, peer.Paused))
		}
	}
	return wait + 2*request
}

// data says what the regions that may take say of their data.
func (p *plan) data(s agent.Status, to lease.Region) {
	for _, peer := range s.Peers {
		if to != "" && peer.Region != to {
			continue
		}
		switch {
		case len(peer.Behind) > 0:
			p.note("data that is too far behind in %s: %s", peer.Region, strings.Join(peer.Behind, ", "))
		default:
			p.note("%s says that none of its data is too far behind to be promoted", peer.Region)
		}
	}
}

// modesText names the regions with their modes.
func modesText(s agent.Status) string {
	parts := []string{string(s.Region) + modeText(s.Mode, s.Paused != nil)}
	for _, p := range s.Peers {
		parts = append(parts, string(p.Region)+modeText(p.Mode, p.Paused))
	}
	return strings.Join(parts, ", ")
}

func modeText(mode lease.Mode, paused bool) string {
	if paused {
		return " (" + string(mode) + ", paused)"
	}
	return " (" + cmp.Or(string(mode), "its mode is not known") + ")"
}
