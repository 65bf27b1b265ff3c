package sim

import (
	"math"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// Time is true time, in nanoseconds since the world began: what no region can
// read.
type Time int64

// Add returns the time d after t.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// clock is a region's boot clock: an offset, and a rate that is wrong by a
// constant fraction within ±ρ.
type clock struct {
	offset float64
	rate   float64 // local seconds per true second
}

func (c clock) read(t Time) lease.Instant {
	return lease.Instant(math.Floor(c.offset + c.rate*float64(t)))
}

// when is the true time at which the clock reads at, or just after.
func (c clock) when(at lease.Instant) Time {
	if at == lease.Never {
		return math.MaxInt64
	}
	return Time(math.Ceil((float64(at)-c.offset)/c.rate)) + 1
}
