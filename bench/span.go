package bench

import (
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Span is a time in which something held without a break, by the boot clock.
type Span struct {
	From lease.Instant `json:"from"`
	To   lease.Instant `json:"to"`
}

// Points makes spans of the instants at which something was seen to hold, in their order: those that are no further apart than
// join are of one span.
func Points(at []lease.Instant, join time.Duration) []Span {
	var out []Span
	for _, t := range at {
		out = addPoint(out, t, join)
	}
	return out
}

// addPoint adds an instant, which is after all others, to the spans that Points has made of those.
func addPoint(spans []Span, at lease.Instant, join time.Duration) []Span {
	if n := len(spans); n > 0 && at.Sub(spans[n-1].To) <= join {
		spans[n-1].To = at
		return spans
	}
	return append(spans, Span{at, at})
}

// Between are the parts of the spans that lie in a time.
func Between(spans []Span, from, to lease.Instant) []Span {
	var out []Span
	for _, s := range spans {
		if s = (Span{max(s.From, from), min(s.To, to)}); s.From < s.To {
			out = append(out, s)
		}
	}
	return out
}

// Overlap is for how long in all two or more of the nodes had one of their spans at once.
func Overlap(nodes ...[]Span) time.Duration {
	return sweep(nodes, func(n int) bool { return n > 1 })
}

// Covered is for how long in all at least one of the nodes had one of its spans.
func Covered(nodes ...[]Span) time.Duration {
	return sweep(nodes, func(n int) bool { return n > 0 })
}

// sweep is for how long in all so many spans lasted at once as count says.
func sweep(nodes [][]Span, count func(int) bool) time.Duration {
	type edge struct {
		at lease.Instant
		by int
	}
	var edges []edge
	for _, spans := range nodes {
		for _, s := range spans {
			edges = append(edges, edge{s.From, 1}, edge{s.To, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int { return int(a.at - b.at) })
	var sum time.Duration
	n := 0
	for i, e := range edges {
		if i > 0 && count(n) {
			sum += e.at.Sub(edges[i-1].at)
		}
		n += e.by
	}
	return sum
}
