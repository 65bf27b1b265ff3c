package storm

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// quiet is the longest time in gaps in which none of the faults was under way.
func quiet(gaps, faults []Span) (longest time.Duration) {
	faults = union(faults)
	for _, gap := range gaps {
		from := gap.From
		for _, f := range faults {
			longest = max(longest, gap.overlap(Span{from, f.From}).length())
			from = max(from, f.To)
		}
		longest = max(longest, gap.overlap(Span{from, gap.To}).length())
	}
	return longest
}

// with is the longest of the gaps in which one of the faults was under way.
func with(gaps, faults []Span) (longest time.Duration) {
	for _, gap := range gaps {
		for _, f := range faults {
			if gap.From <= f.To && f.From <= gap.To {
				longest = max(longest, gap.length())
			}
		}
	}
	return longest
}

// table is how many faults of each kind there were, and the longest gap that there was meanwhile.
func (w *world) table(gaps []Span) string {
	lines := []string{"faults   longest gap in which one was under way"}
	for _, kind := range slices.Sorted(maps.Keys(w.past)) {
		lines = append(lines, fmt.Sprintf("%6d %6.1f s  %s", len(w.past[kind]), with(gaps, w.past[kind]).Seconds(), kind))
	}
	return strings.Join(lines, "\n")
}

func TestQuiet(t *testing.T) {
	for _, tt := range []struct {
		name         string
		gaps, faults []Span
		quiet, with  float64
	}{
		{"nothing", nil, nil, 0, 0},
		{"no fault", []Span{span(3, 10)}, nil, 7, 0},
		{"no gap", nil, []Span{span(3, 10)}, 0, 0},
		{"all the time", []Span{span(3, 10)}, []Span{span(1, 6), span(5, 11)}, 0, 7},
		{"before, between and after", []Span{span(3, 20)}, []Span{span(12, 13), span(5, 6)}, 7, 17},
		{"elsewhere", []Span{span(3, 10), span(20, 22)}, []Span{span(12, 13)}, 7, 0},
		{"the shorter one", []Span{span(3, 10), span(20, 22)}, []Span{span(19, 21)}, 7, 2},
	} {
		if got := quiet(tt.gaps, tt.faults); got.Seconds() != tt.quiet {
			t.Errorf("%s: quiet for %v, want %v s", tt.name, got, tt.quiet)
		}
		if got := with(tt.gaps, tt.faults); got.Seconds() != tt.with {
			t.Errorf("%s: with a fault for %v, want %v s", tt.name, got, tt.with)
		}
	}
}
