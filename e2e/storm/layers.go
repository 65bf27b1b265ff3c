package storm

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// Outlived is how layers of a region, none of whose instances could fence them, were active beside those of another.
type Outlived struct {
	Longest time.Duration   `json:"longest"`
	After   []time.Duration `json:"after"` // for how long they were yet, each time, when an instance could
}

const (
	termDuration = time.Second     // the instances' term_duration
	fenceTimeout = 2 * time.Second // lease.fence_timeout

	// thawTime is how long an instance that runs again has to run its hook, beside what the machine has the test late by: see slow.
	thawTime = time.Second

	// electionTime is what an instance takes that reaches its API server again: it reads the record twice, a term_duration
	// apart, to know that whoever acts there is silent, and writes it.
	electionTime = 2*termDuration + time.Second

	// retryTime is what an attempt to fence a route takes that has begun before the API server can be reached again, and the
	// pause after it (agent/applier).
	retryTime = 7 * time.Second
)

// layers says when the layers of one region were active yet when those of another were again. That is excused for as long as no
// instance of the first could do anything, and a moment after: nobody was there to fence.
func (f *Findings) layers(regions []lease.Region, by map[lease.Region][]Record, routes []Route, machine []Span) {
	for _, a := range regions {
		for _, b := range regions {
			if a == b {
				continue
			}
			beside(&f.Layers, &f.Outlived, "layers", a, b, active(by[a]), active(by[b]), together(by[a], Record.noHook), thawTime, machine)
			beside(&f.Routes, &f.RoutesOutlived, "routes", a, b, leading(routes, a), leading(routes, b), together(by[a], Record.noRoute), thawTime+fenceTimeout, machine)
		}
	}
}

// beside says when a region was active yet, when another one was again, though it was not excused then and up to a moment after.
func beside(to *[]string, outlived *Outlived, what string, a, b lease.Region, as, bs, excuses []Span, moment time.Duration, machine []Span) {
	for _, s := range as {
		for _, o := range bs {
			at := s.overlap(o)
			if s.From > o.From || at.length() == 0 {
				continue
			}
			excused := false
			for _, q := range excuses {
				if q.From < at.From && at.To <= q.To.Add(moment+slow(machine, at.To)) {
					excused = true
					outlived.Longest = max(outlived.Longest, at.length())
					if q.To < at.To {
						outlived.After = append(outlived.After, at.To.Sub(q.To))
					}
				}
			}
			if !excused {
				*to = append(*to, fmt.Sprintf("%s of %s were active yet when those of %s were: from %d to %d, %v", what, a, b, at.From, at.To, at.length()))
			}
		}
	}
}

// slow is what a run of the hook took at the longest, on this machine, of those just before an instant.
func slow(machine []Span, at lease.Instant) (most time.Duration) {
	for _, run := range machine {
		if run.overlap(Span{at.Add(-retryTime), at}).length() > 0 {
			most = max(most, run.length())
		}
	}
	return most
}

// active is when a region's layer was active, by the hooks of all of its instances.
func active(records []Record) []Span {
	var hooks []Hook
	for _, r := range records {
		hooks = append(hooks, r.Hooks...)
	}
	slices.SortStableFunc(hooks, func(a, b Hook) int { return cmp.Compare(a.At, b.At) })
	var spans []Span
	open := false
	for _, h := range hooks {
		switch {
		case h.Action == "activate" && !h.End && !open:
			spans, open = append(spans, Span{h.At, lease.Never}), true
		case h.Action == "fence" && h.End && open:
			spans[len(spans)-1].To, open = h.At, false
		}
	}
	return spans
}

// leading is when a region's route surely led to its application, whichever version of it.
func leading(routes []Route, region lease.Region) []Span {
	var spans []Span
	for _, r := range routes {
		if r.Region == region && r.Leads {
			spans = append(spans, r.Span)
		}
	}
	return spans
}

// together is when none of them could do anything.
func together(records []Record, unable func(Record) []Span) []Span {
	spans := []Span{{-lease.Never, lease.Never}}
	for _, r := range records {
		var next []Span
		for _, s := range spans {
			for _, o := range union(unable(r)) {
				if at := s.overlap(o); at.length() > 0 {
					next = append(next, at)
				}
			}
		}
		spans = next
	}
	return spans
}

// noHook is when the instance could not have fenced by its hook: it stood still, or could not know that it acts. One that does is not
// excused by being cut off from its API server: its hook needs none, and nobody can tell it that another one acts.
func (r Record) noHook() []Span {
	return slices.Concat(r.Still, minus(r.after(electionTime), r.owes()))
}

// noRoute is when the instance could not have fenced the route. What is in an API server can be changed by nobody who can't reach it,
// whatever is known to him: there the dead-man gate is all that there is.
func (r Record) noRoute() []Span { return slices.Concat(r.Still, r.after(retryTime)) }

// after is when the instance was cut off from its API server, and for some time after.
func (r Record) after(d time.Duration) (spans []Span) {
	for _, s := range r.Blind {
		spans = append(spans, Span{s.From, s.To.Add(d)})
	}
	return spans
}

// owes is when the layers were surely the instance's own to fence, by what it said of itself: from when it was active, or had
// begun to fence, until its hook had, or until it followed. One that has resigned owes it yet: it can't know whether
// another one acts (§5).
func (r Record) owes() (spans []Span) {
	hooks := slices.DeleteFunc(slices.Clone(r.Hooks), func(h Hook) bool { return h.Action != "fence" || !h.End })
	owes, was := false, lease.StateName("")
	for _, c := range r.Claims {
		fenced := false
		for len(hooks) > 0 && hooks[0].At < c.Received {
			fenced, hooks = true, hooks[1:]
		}
		before := owes
		switch {
		case c.State == lease.Active:
			owes = true
		case c.State == lease.Fencing && was != lease.Fencing:
			owes = !fenced
		case c.State == lease.Fencing, c.State == lease.Follower && c.Reason == lease.ReasonResigned:
			owes = owes && !fenced
		default:
			owes = false
		}
		was = c.State
		switch {
		case owes && before:
			spans[len(spans)-1].To = c.Received
		case owes:
			spans = append(spans, Span{c.Received, c.Received})
		}
	}
	return spans
}
