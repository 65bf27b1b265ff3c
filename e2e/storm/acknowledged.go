package storm

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// Early says which regions took though the witness had given another one authority that had neither ended nor been given up.
//
// Writes give authority for a TTL from their arrival, which is no earlier than their sending (§2: what has passed is not
// extended). It is given up by a fence that has ended. What arrives after that may have been sent before it, and gives nothing;
// what else an instance may hold, by pledges or beside its region, [Judge] sees by its claims.
func Early(records []Record, ttl time.Duration) (all []string) {
	by := map[lease.Region][]Record{}
	for _, r := range records {
		by[r.Region] = append(by[r.Region], r)
	}
	for _, a := range slices.Sorted(maps.Keys(by)) {
		given := acknowledged(by[a], ttl)
		for _, b := range slices.Sorted(maps.Keys(by)) {
			if a == b {
				continue
			}
			taken := takings(by[b])
			for _, epoch := range slices.Sorted(maps.Keys(taken)) {
				for _, s := range given {
					if t := taken[epoch]; s.From <= t && t < s.To {
						all = append(all, fmt.Sprintf("%s took epoch %d at %d: the witness had given %s authority from %d to %d, %v more, and it had not fenced",
							b, epoch, t, a, s.From, s.To, s.To.Sub(t)))
					}
				}
			}
		}
	}
	return all
}

// acknowledged is the authority that a region had by its writes: one span for each unbroken row of those of one epoch.
func acknowledged(records []Record, ttl time.Duration) (spans []Span) {
	rows := map[uint64][]daemon.Renewal{}
	var fences []lease.Instant
	for _, r := range records {
		for _, w := range r.Writes {
			rows[w.Epoch] = append(rows[w.Epoch], w)
		}
		for _, h := range r.Hooks {
			if h.Action == "fence" && h.End {
				fences = append(fences, h.At)
			}
		}
	}
	slices.Sort(fences)
	for _, epoch := range slices.Sorted(maps.Keys(rows)) {
		row := rows[epoch]
		slices.SortFunc(row, func(a, b daemon.Renewal) int { return int(a.Arrived.Sub(b.Arrived)) })
		s := Span{row[0].Arrived, row[0].Arrived.Add(ttl)}
		for _, w := range row[1:] {
			if w.Answered < s.To {
				s.To = max(s.To, w.Arrived.Add(ttl))
			}
		}
		if n, _ := slices.BinarySearch(fences, s.From); n < len(fences) {
			s.To = min(s.To, fences[n])
		}
		spans = append(spans, s)
	}
	return spans
}

// takings is when a region was first seen to act under each epoch.
func takings(records []Record) map[uint64]lease.Instant {
	first := map[uint64]lease.Instant{}
	note := func(epoch uint64, at lease.Instant) {
		if t, is := first[epoch]; epoch > 0 && (!is || at < t) {
			first[epoch] = at
		}
	}
	for _, r := range records {
		for _, w := range r.Writes {
			note(w.Epoch, w.Arrived)
		}
		for _, c := range r.Claims {
			note(c.Epoch, c.Received)
		}
		for _, h := range r.Hooks {
			if h.Action == "activate" {
				note(h.Epoch, h.At)
			}
		}
	}
	return first
}
