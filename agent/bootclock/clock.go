package bootclock

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/openova-io/failoverd/lease"
)

// A Clock reads CLOCK_BOOTTIME. The zero value is ready for use.
type Clock struct{}

// Now returns the time since this machine was started, suspend included.
func (Clock) Now() lease.Instant {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
		// Linux has had this clock since 2.6.39. Without it no deadline means
		// anything, so there is nothing to go on with.
		panic(fmt.Sprintf("read CLOCK_BOOTTIME: %v", err))
	}
	return lease.Instant(ts.Nano())
}
