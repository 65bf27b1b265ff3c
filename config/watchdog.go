package config

import "time"

// Watchdog is the kernel's, which resets this machine where the agent's loop stands still, or layers are not fenced in time.
type Watchdog struct {
	Device  string   `yaml:"device" json:"device"`
	Timeout Duration `yaml:"timeout" json:"timeout"` // since the last ping
}

// DefaultWatchdog returns the section of a file that sets nothing in it.
func DefaultWatchdog() *Watchdog {
	return &Watchdog{Device: "/dev/watchdog", Timeout: Duration(10 * time.Second)}
}
