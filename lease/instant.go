package lease

import (
	"math"
	"time"
)

// An Instant is a reading, in nanoseconds, of the clock of one region that goes
// on through suspend and that nobody sets (CLOCK_BOOTTIME on Linux, §2).
// Instants of two regions, or of two boots of one, must never be compared: that
// is why they are not time.Time.
type Instant int64

// Never is later than every instant that a clock returns.
const Never Instant = math.MaxInt64

// Add returns the instant d after t. Never stays Never.
func (t Instant) Add(d time.Duration) Instant {
	if t == Never {
		return Never
	}
	return t + Instant(d)
}

// Sub returns the time from u to t.
func (t Instant) Sub(u Instant) time.Duration { return time.Duration(t - u) }
