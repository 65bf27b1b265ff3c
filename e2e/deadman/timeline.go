package deadman

import (
	"slices"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// A span is a stretch of time, from and to included.
type span struct{ from, to lease.Instant }

// authority is when a region had authority, by what the witness has acknowledged (docs/protocol.md §2).
func authority(renewals []daemon.Renewal, ttl time.Duration) (spans []span) {
	for _, r := range renewals {
		if last := len(spans) - 1; last >= 0 && r.Answered <= spans[last].to {
			spans[last].to = max(spans[last].to, r.Arrived.Add(ttl))
			continue
		}
		spans = append(spans, span{r.Arrived, r.Arrived.Add(ttl)})
	}
	return spans
}

// active is when a region's layer was active, or may have been, by the runs of its hooks up to an instant. An instance that follows
// leaves it as it is.
func active(runs []daemon.HookRun, to lease.Instant) (spans []span) {
	runs = slices.SortedFunc(slices.Values(runs), func(a, b daemon.HookRun) int { return int(a.At - b.At) })
	is := false
	for _, r := range runs {
		switch {
		case !is && r.Action == "activate":
			is, spans = true, append(spans, span{r.At, to})
		case is && r.Action == "fence" && r.Phase == "end":
			is, spans[len(spans)-1].to = false, r.At
		}
	}
	return spans
}

// within are the parts of spans that lie between two instants.
func within(spans []span, from, to lease.Instant) (parts []span) {
	for _, s := range spans {
		if s.from, s.to = max(s.from, from), min(s.to, to); s.from < s.to {
			parts = append(parts, s)
		}
	}
	return parts
}

// outside is the longest stretch of some spans that is in none of the others, which are in order.
func outside(of, others []span) (longest time.Duration) {
	for _, s := range of {
		for _, o := range others {
			if o.to <= s.from || o.from >= s.to {
				continue
			}
			longest = max(longest, o.from.Sub(s.from))
			s.from = o.to
		}
		longest = max(longest, s.to.Sub(s.from))
	}
	return longest
}

// common is the longest stretch that is in spans of both.
func common(a, b []span) (longest time.Duration) {
	for _, s := range a {
		for _, part := range within(b, s.from, s.to) {
			longest = max(longest, part.to.Sub(part.from))
		}
	}
	return longest
}
