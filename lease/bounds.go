package lease

import "time"

// A Bound is one promise of the protocol, computed for a set of parameters.
type Bound struct {
	Name    string
	Section string // of docs/protocol.md
	Formula string // in the terms of the configuration
	Value   time.Duration
	Text    string
}

// Bounds are all promises of §6 for a witness that answers within roundTrip,
// in the order of a failover; the quorum answers within it too.
func (p Params) Bounds(roundTrip time.Duration) []Bound {
	earliest := "longer(ttl + staleness)"
	if len(p.Witnesses) > 0 {
		earliest = "longer(ttl + staleness of most witnesses)"
	}
	bounds := []Bound{
		{"fencing starts", "§2", "ttl - fence_timeout", p.FenceStart(),
			"after the sending of the last acknowledged renewal"},
		{"authority ends, layers inactive", "§2", "ttl", p.TTL,
			"after the sending of the last acknowledged renewal"},
		{"flag raised", "§3", "longer(ttl) - ttl/6", p.RaiseAfter(),
			"by the standby of the best rank, after the last sign of life of every other region"},
		{"earliest takeover", "§3", earliest, p.EarliestTakeover(),
			"after the last sign of life of every other region"},
		{"longest gap, reads fresh", "§6", "longer(ttl + staleness) + poll_interval + 3 round trips", p.LongestGapFresh(roundTrip),
			"between the last renewal of a region that dies and the next authority"},
		{"longest gap, reads as stale as allowed", "§6", "longer(ttl + 2 staleness) + poll_interval + 3 round trips", p.LongestGapStale(roundTrip),
			"between the last renewal of a region that dies and the next authority"},
		{"turn", "§3", "longer(2 staleness) + ttl/3", p.Turn(),
			"more for each better-ranked region that is down too"},
	}
	if p.Quorum {
		bounds = append(bounds, Bound{"hand-over", "§4", "2 round trips", p.HandOver(roundTrip),
			"from the moment at which the layers of the active region are inactive to the next authority: a planned switchover, while every region answers through the quorum within a round trip"})
	}
	return bounds
}

// FenceStart is how long after the sending of the last acknowledged renewal a
// region starts to fence (§2).
func (p Params) FenceStart() time.Duration { return p.TTL - p.FenceTimeout }

// RaiseAfter is how long after the last evidence of every other region the
// standby of rank 0 raises its flag (§3, suspect).
func (p Params) RaiseAfter() time.Duration { return p.Longer(p.TTL) - p.Lead() }

// EarliestTakeover is how long after the last evidence of every other region a
// candidate takes at the earliest (§3, take): by the quickest majority, where there are several witnesses.
func (p Params) EarliestTakeover() time.Duration { return p.Longer(p.TTL + p.quickStaleness()) }

// LongestGapFresh bounds the authority gap from the last renewal of a region
// that dies, with a witness that answers within roundTrip and is read fresh
// (§6).
func (p Params) LongestGapFresh(roundTrip time.Duration) time.Duration {
	return p.Longer(p.TTL+p.Staleness) + p.PollInterval + 3*roundTrip
}

// LongestGapStale is LongestGapFresh with reads as stale as the bound allows:
// the last record is itself seen that late (§6).
func (p Params) LongestGapStale(roundTrip time.Duration) time.Duration {
	return p.Longer(p.TTL+2*p.Staleness) + p.PollInterval + 3*roundTrip
}

// HandOver is from the moment at which a region that hands over is fenced to the next
// authority: one question tells the other region, and one brings it the pledges (§4).
func (p Params) HandOver(roundTrip time.Duration) time.Duration { return 2 * roundTrip }

// Turn is how long a region is given to show that it is taking before the next
// raises its flag: longer(2Δ) + 2·lead (§3, suspect).
func (p Params) Turn() time.Duration { return p.Longer(2*p.Staleness) + 2*p.Lead() }
