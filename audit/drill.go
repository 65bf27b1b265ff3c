package audit

import (
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Drill is the report of a planned switchover and back.
type Drill struct {
	Group   string       `json:"group"`
	Region  lease.Region `json:"region"`
	To      lease.Region `json:"to"` // that was active for a while
	User    string       `json:"user,omitempty"`
	Reason  string       `json:"reason"`
	Began   time.Time    `json:"began"` // wall clock
	Ended   time.Time    `json:"ended,omitzero"`
	Stay    float64      `json:"stay_seconds"`
	Checks  []DrillCheck `json:"checks"` // that were made before
	Steps   []DrillStep  `json:"steps,omitempty"`
	Done    bool         `json:"done"`              // it came to its end, each step within its bound
	Trouble string       `json:"trouble,omitempty"` // why not
	Advice  string       `json:"advice,omitempty"`
}

// A DrillCheck is something that is looked at before.
type DrillCheck struct {
	OK   bool   `json:"ok"`
	What string `json:"what"`
}

// A DrillStep is something that has to happen, within a bound.
type DrillStep struct {
	What    string  `json:"what"`
	Seconds float64 `json:"seconds"`
	Bound   float64 `json:"bound_seconds"`
	OK      bool    `json:"ok"` // it has, within the bound
}
