package storm

import (
	"cmp"
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Span is a time, from From until before To.
type Span struct{ From, To lease.Instant }

func (s Span) length() time.Duration { return max(0, s.To.Sub(s.From)) }

// overlap is what two spans share; its length is 0 if that is nothing.
func (s Span) overlap(o Span) Span { return Span{max(s.From, o.From), min(s.To, o.To)} }

// union is the same time, in spans that do not touch.
func union(spans []Span) (out []Span) {
	spans = slices.Clone(spans)
	slices.SortFunc(spans, func(a, b Span) int { return cmp.Compare(a.From, b.From) })
	for _, s := range spans {
		if n := len(out); n > 0 && s.From <= out[n-1].To {
			out[n-1].To = max(out[n-1].To, s.To)
		} else {
			out = append(out, s)
		}
	}
	return out
}

// minus is the time that is in spans, and not in others.
func minus(spans, others []Span) (out []Span) {
	others = union(others)
	for _, s := range union(spans) {
		for _, o := range others {
			if s.overlap(o).length() == 0 {
				continue
			}
			if before := (Span{s.From, o.From}); before.length() > 0 {
				out = append(out, before)
			}
			s.From = o.To
		}
		if s.length() > 0 {
			out = append(out, s)
		}
	}
	return out
}
