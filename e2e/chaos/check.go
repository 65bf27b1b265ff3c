package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// Findings are what is wrong with what was seen, each in a sentence.
type Findings struct {
	Authority []string `json:"authority"` // two regions held authority at once
	Layers    []string `json:"layers"`    // the layers of two regions were active at once, the known hole apart
	Unfounded []string `json:"unfounded"` // a region claimed, or acted by, authority that no write of it gave
}

// Check looks for what must never be.
func Check(records []Record, ttl time.Duration) Findings {
	var f Findings
	for i, a := range records {
		for _, b := range records[i+1:] {
			f.Authority = append(f.Authority, overlaps("authority", values(a.Authority(ttl)), values(b.Authority(ttl)))...)
			f.Layers = append(f.Layers, overlaps("layers", a.Layers(ttl), b.Layers(ttl))...)
		}
		f.Unfounded = append(f.Unfounded, a.unfounded(ttl)...)
	}
	return f
}

func values(spans map[uint64]Span) []Span {
	var out []Span
	for _, s := range spans {
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Span) int { return int(a.From - b.From) })
	return out
}

func overlaps(what string, as, bs []Span) []string {
	var out []string
	for _, a := range as {
		for _, b := range bs {
			if from, to := max(a.From, b.From), min(a.To, b.To); from < to {
				out = append(out, fmt.Sprintf("%s of %s (epoch %d: %d to %d) and %s (epoch %d: %d to %d) overlap for %v",
					what, a.Region, a.Epoch, a.From, a.To, b.Region, b.Epoch, b.From, b.To, to.Sub(from)))
			}
		}
	}
	return out
}

// unfounded lists what the region claimed or did without the authority for it.
func (r Record) unfounded(ttl time.Duration) []string {
	var out []string
	for _, c := range r.Claims {
		if end := r.deadline(c.Epoch, ttl); c.Deadline > end {
			out = append(out, fmt.Sprintf("%s claims authority for epoch %d until %d (%s): its writes give it until %d, %v less",
				r.Region, c.Epoch, c.Deadline, c.Source, end, c.Deadline.Sub(end)))
		}
	}
	for _, h := range r.Hooks {
		if end := r.deadline(h.Epoch, ttl); h.Action == "activate" && h.Phase == "begin" && h.At >= end {
			out = append(out, fmt.Sprintf("%s activates its layer for epoch %d at %d: its writes give it authority until %d",
				r.Region, h.Epoch, h.At, end))
		}
	}
	return out
}

// Late is by how much the region's layers outlived their authority while its agent could fence, for each time that they did.
func (r Record) Late(ttl time.Duration) []time.Duration {
	var out []time.Duration
	for _, s := range r.Layers(ttl) {
		if end := r.deadline(s.Epoch, ttl); s.To != lease.Never && s.To > end && s.From <= end {
			out = append(out, s.To.Sub(end))
		}
	}
	return out
}

// Lost are the times at which the region lost its lease though nothing was done to it.
func (r Record) Lost() []Transition {
	var out []Transition
	for _, t := range r.Transitions {
		switch t.Reason {
		case lease.ReasonRenewalLate, lease.ReasonAuthorityExpired, lease.ReasonSplitBrain:
		default:
			continue
		}
		done := slices.ContainsFunc(r.Faults, func(f Fault) bool {
			until := f.To
			if f.Kind == Frozen || f.Kind == Killed {
				until = r.recovered(f)
			}
			return f.From <= t.At && t.At <= until
		})
		if !done {
			out = append(out, t)
		}
	}
	return out
}
