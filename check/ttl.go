package check

import (
	"context"
	"fmt"
	"time"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// roundTrips is how many rounds of reads the shortest times rest on.
const roundTrips = 20

// shortest says what the shortest sensible times on a witness are that is never stale, from the slowest of many rounds of
// reads. On another a takeover waits for its staleness, and a short ttl gains nothing.
func (l *live) shortest(ctx context.Context, w *witness.Witness) []Finding {
	var slowest time.Duration
	for range roundTrips {
		began := time.Now()
		ctx, cancel := context.WithTimeout(ctx, l.Params.RequestTimeout)
		round := w.ReadRound(ctx, false)
		cancel()
		for _, read := range round.Flags {
			if read.Outcome == lease.ReadUnknown {
				return nil // what fails is found elsewhere
			}
		}
		slowest = max(slowest, time.Since(began))
	}
	p := shortestTimes(l.Params, slowest)
	return []Finding{{Level: OK, Asked: "witness", Got: fmt.Sprintf(
		"the slowest of %d rounds of reads took %s; with lease.fence_timeout %v a ttl from %v is sensible (renew_interval %v, retry_interval %v, request_timeout %v), %v are configured",
		roundTrips, millis(slowest), p.FenceTimeout, p.TTL, p.RenewInterval, p.RetryInterval, p.RequestTimeout, l.Params.TTL)}}
}

// shortestTimes are the shortest sensible times with a slowest round trip: a request has five times that, or 200 ms on a
// loaded machine, a renewal a second, and one that is lost can be made up for before fencing starts (§2).
func shortestTimes(p lease.Params, slowest time.Duration) lease.Params {
	const tenth = 100 * time.Millisecond
	p.RequestTimeout = max(2*tenth, (5*slowest+tenth-1)/tenth*tenth)
	p.RenewInterval = max(time.Second, p.RequestTimeout)
	p.RetryInterval = min(p.RetryInterval, time.Second) // no shorter than it is: stores limit the writes of a key
	lost := p.FenceTimeout + p.RenewInterval + max(p.RequestTimeout, p.RetryInterval)
	p.TTL = lost/time.Second*time.Second + time.Second
	return p
}
