package notify

import (
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Kind is what a message tells.
type Kind string

const (
	Transition Kind = "transition"  // the region's state has changed
	Notice     Kind = "notice"      // something has happened that does not last
	Alarm      Kind = "alarm"       // something has begun, and holds
	AlarmEnded Kind = "alarm_ended" // it has ended
)

// A Message is what a receiver is told, and the body of a webhook. Its keys are stable: one may be added, and then Version stays.
type Message struct {
	Version int    `json:"version"` // 1
	ID      string `json:"id"`      // the same each time that the message is sent: group/region/run/number

	Time   time.Time    `json:"time"` // when it happened, by the agent's wall clock
	Kind   Kind         `json:"kind"`
	Group  string       `json:"group"`
	Region lease.Region `json:"region"`

	Instance string `json:"instance,omitempty"` // that acts, in a region of several

	Reason   lease.ReasonCode `json:"reason"` // docs/reasons.md has all
	Severity lease.Severity   `json:"severity"`
	Title    string           `json:"title"`
	Text     string           `json:"text"`
	Remedy   string           `json:"remedy,omitempty"`
	Runbook  string           `json:"runbook"` // its URL

	// Of a transition.
	From  lease.StateName `json:"from,omitempty"` // empty: the agent has started
	To    lease.StateName `json:"to,omitempty"`
	Epoch uint64          `json:"epoch,omitempty"` // of the authority or candidacy

	// Of the others.
	About   lease.Region `json:"about,omitempty"`   // the member that it is about
	Witness string       `json:"witness,omitempty"` // the one of several that it is about
	Detail  string       `json:"detail,omitempty"`
	Began   *time.Time   `json:"began,omitempty"` // an alarm that has ended

	Alarms []Held `json:"alarms"` // that hold then
}

// Held is an alarm that holds.
type Held struct {
	Reason  lease.ReasonCode `json:"reason"`
	About   lease.Region     `json:"about,omitempty"`
	Witness string           `json:"witness,omitempty"`
	Began   time.Time        `json:"began"`
}
