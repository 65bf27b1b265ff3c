package applier

import (
	"time"

	"github.com/openova-io/failoverd/lease"
)

const (
	firstRetry = 100 * time.Millisecond // after the first failed attempt of an order
	lastRetry  = 2 * time.Second        // and never more

	// upkeepPause is from an attempt that succeeded to the next one, however often others
	// change the layer. It is well below the second within which a change is undone.
	upkeepPause = 100 * time.Millisecond

	// minFenceAttempt is what every attempt to fence gets, also when the order's
	// deadline is near or has passed: an attempt that has no time can't succeed.
	minFenceAttempt = 5 * time.Second

	// maxAttempt ends an attempt that hangs, however far the order's deadline is, so
	// that it is tried again.
	maxAttempt = time.Minute
)

// nextRetry is the pause after the next failure, given the one after this.
func nextRetry(pause time.Duration) time.Duration { return min(2*pause, lastRetry) }

// fenceLimit is when an attempt to fence that begins now ends at the latest.
func fenceLimit(now, deadline lease.Instant) lease.Instant {
	return min(max(deadline, now.Add(minFenceAttempt)), now.Add(maxAttempt))
}

// activateLimit is when an attempt to activate that begins now ends at the
// latest, while its order's deadline is the given one.
func activateLimit(begun, deadline lease.Instant) lease.Instant {
	return min(deadline, begun.Add(maxAttempt))
}
