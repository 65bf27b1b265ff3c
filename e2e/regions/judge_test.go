package regions

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A round is what became of the active agent once.
type round struct {
	fate     fate
	from, to lease.Region

	// From gone to back there is no agent that could fence: it is dead or frozen, or it is there again and has not fenced yet. Both
	// are 0 where it lives on.
	gone, back lease.Instant

	gap     time.Duration // from the last instant at which all of the old region was active to the first at which all of the new one was
	fenced  time.Duration // from the old agent's start, or thaw, to all of its region fenced
	samples int

	serve, admit, writable int           // samples in which both regions do
	longest                time.Duration // for which databases of both take writes, on end
}

// unplanned reports whether the other region takes over without being asked to.
func (f fate) unplanned() bool {
	return slices.Contains([]fate{late, dead, frozen, alone}, f)
}

// stays reports whether authority stays where it is.
func (f fate) stays() bool { return f == supervised || f == blind }

// judge counts in how many samples two regions were active, and says which of them may not be.
func (r *round) judge(samples []sample) (findings []string) {
	r.samples = len(samples)
	r.serve, _ = count(samples, bothServe)
	r.admit, _ = count(samples, bothAdmit)
	r.writable, r.longest = count(samples, bothWritable)
	living := slices.DeleteFunc(slices.Clone(samples), func(s sample) bool { return r.gone != 0 && s.at >= r.gone && s.at <= r.back })
	for _, never := range []struct {
		samples []sample
		is      func(sample) bool
		what    string
	}{
		{samples, bothAuthority, "both regions hold authority"},
		{samples, bothServe, "both regions serve"},
		{living, bothAdmit, "both regions admit traffic, and both agents live"},
		{living, bothWritable, "databases of both regions take writes, and both agents live"},
	} {
		if n, longest := count(never.samples, never.is); n > 0 {
			findings = append(findings, fmt.Sprintf("in %d of %d samples %s (%v on end)", n, len(never.samples), never.what, longest))
		}
	}
	return findings
}

// count is how many samples are so, and the longest time on end for which they were.
func count(samples []sample, is func(sample) bool) (n int, longest time.Duration) {
	var from lease.Instant
	was := false
	for _, s := range samples {
		if !is(s) {
			was = false
			continue
		}
		if !was {
			from, was = s.at, true
		}
		n++
		longest = max(longest, s.at.Sub(from)+every)
	}
	return n, longest
}

func (r round) String() string {
	return fmt.Sprintf("%s, %s to %s: gap %.2f s, fenced %.2f s after it was there again; of %d samples both serve in %d, both admit in %d, both take writes in %d (%.2f s on end)",
		r.fate, r.from, r.to, r.gap.Seconds(), r.fenced.Seconds(), r.samples, r.serve, r.admit, r.writable, r.longest.Seconds())
}

// table sums up the rounds of each fate.
func table(all []round) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%-48s %6s %8s %8s %8s %8s %11s %11s %14s %8s\n", "the active agent is", "rounds", "gap p50", "gap max", "fenced", "samples", "both serve", "both admit", "both writable", "on end")
	for _, f := range fates {
		var gaps []time.Duration
		var sum round
		for _, r := range all {
			if r.fate != f {
				continue
			}
			gaps = append(gaps, r.gap)
			sum.samples, sum.serve, sum.admit, sum.writable = sum.samples+r.samples, sum.serve+r.serve, sum.admit+r.admit, sum.writable+r.writable
			sum.longest, sum.fenced = max(sum.longest, r.longest), max(sum.fenced, r.fenced)
		}
		if len(gaps) == 0 {
			continue
		}
		slices.Sort(gaps)
		fmt.Fprintf(&out, "%-48s %6d %7.2fs %7.2fs %7.2fs %8d %11d %11d %14d %7.2fs\n", f, len(gaps), gaps[len(gaps)/2].Seconds(), gaps[len(gaps)-1].Seconds(),
			sum.fenced.Seconds(), sum.samples, sum.serve, sum.admit, sum.writable, sum.longest.Seconds())
	}
	return out.String()
}

// TestJudge shows that each of the things that must never be is seen, and that what may be is not taken for one.
func TestJudge(t *testing.T) {
	active := view{Authority: true, Routes: 2, Ready: true, Admitted: true, Writable: 2, Databases: 2}
	fenced := view{Databases: 2}
	orphan := view{Routes: 2, Admitted: true, Writable: 2, Databases: 2} // it was active when its agent died
	died := round{fate: dead, gone: 10, back: 20}
	lived := round{fate: handedOver}
	for _, tt := range []struct {
		name  string
		round round
		at    lease.Instant
		views []view
		want  int
	}{
		{"one active, one fenced", lived, 5, []view{active, fenced}, 0},
		{"both fenced", lived, 5, []view{fenced, fenced}, 0},
		{"the agent is dead, the other region active", died, 15, []view{orphan, active}, 0},
		{"the same before it died", died, 9, []view{orphan, active}, 2},
		{"the same after it has fenced", died, 21, []view{orphan, active}, 2},
		{"the same where nobody died", lived, 15, []view{orphan, active}, 2},
		{"a gate that stays open", died, 15, []view{{Routes: 1, Ready: true}, active}, 1},
		{"one database of two", lived, 15, []view{{Writable: 1}, active}, 1},
		{"authority, and nothing else", died, 15, []view{{Authority: true}, active}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.round.judge([]sample{{at: tt.at, views: tt.views}}); len(got) != tt.want {
				t.Errorf("got %q, want %d findings", got, tt.want)
			}
		})
	}
}
