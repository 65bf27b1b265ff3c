package agent

import "github.com/openova-io/failoverd/agent/bootclock"

// BootClock is the Clock of the machine.
type BootClock struct{ bootclock.Clock }

// NewTimer returns a timer of the boot clock.
func (c BootClock) NewTimer() (Timer, error) { return c.Clock.NewTimer() }
