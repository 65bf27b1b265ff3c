package main

import (
	"fmt"
	"math"
	"slices"

	"github.com/openova-io/failoverd/bench"
)

// judged are the rounds of a system and a scenario that have figures.
func judged(all bench.Rounds, system string, s bench.Scenario) (rounds []bench.Round) {
	for _, r := range all.Rounds {
		if r.System == system && r.Scenario == s && r.Wrong == "" {
			rounds = append(rounds, r)
		}
	}
	return rounds
}

// figures are one of each round, in order.
func figures(rounds []bench.Round, of func(bench.Round) float64) (sorted []float64) {
	for _, r := range rounds {
		sorted = append(sorted, of(r))
	}
	slices.Sort(sorted)
	return sorted
}

// quantile is the least of the sorted figures that so much of all, from 0 to 1, do not exceed.
func quantile(sorted []float64, q float64) float64 {
	return sorted[max(0, int(math.Ceil(q*float64(len(sorted))))-1)]
}

func gap(r bench.Round) float64 { return r.Gap }

// beyond is by how much a gap is longer than what the system promises.
func beyond(r bench.Round) float64 { return r.Gap - r.Bound }

// overlaps are in how many of the rounds there were two, and for how long at the most.
func overlaps(rounds []bench.Round, of func(bench.Round) float64) (n int, longest float64) {
	for _, r := range rounds {
		if o := of(r); o > 0 {
			n++
			longest = max(longest, o)
		}
	}
	return n, longest
}

func acting(r bench.Round) float64  { return r.Acting }
func healthy(r bench.Round) float64 { return r.Healthy }

// seconds are with as many digits as mean something.
func seconds(s float64) string {
	if math.Abs(s) >= 100 {
		return fmt.Sprintf("%.0f s", s)
	}
	return fmt.Sprintf("%.2f s", s)
}
