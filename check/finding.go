package check

import (
	"fmt"

	"github.com/openova-io/failoverd/lease"
)

// A Level is how bad a finding is.
type Level string

const (
	OK      Level = "ok"
	Warning Level = "warning" // it works, and with less in reserve than it should
	Problem Level = "problem" // failover, or the quorum, does not work like this
)

// A Finding is what came back to one thing that was asked.
type Finding struct {
	Level    Level        `json:"level"`
	Asked    string       `json:"asked"`              // what was asked
	Region   lease.Region `json:"region,omitempty"`   // that it is about
	Resolver string       `json:"resolver,omitempty"` // that it went through
	Got      string       `json:"got"`                // what came back
	Remedy   string       `json:"remedy,omitempty"`   // what to do

	Measured *Measured `json:"measured,omitempty"` // how stale a witness was
}

// String is the finding in one line.
func (f Finding) String() string {
	line := fmt.Sprintf("%-7s  %s: %s", f.Level, f.Asked, f.Got)
	if f.Remedy != "" {
		line += "; " + f.Remedy
	}
	return line
}

// A fault is what is wrong with something, and what to do about it; the zero value is none.
type fault struct{ got, remedy string }
