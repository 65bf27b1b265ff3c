package page

import (
	"fmt"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// span is a time in seconds for people: in whole units, two at most. page.js has the same.
func span(seconds float64) string {
	s := int64(max(0, seconds))
	switch {
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", s/60, s%60)
	case s < 86400:
		return fmt.Sprintf("%d h %d min", s/3600, s%3600/60)
	}
	return fmt.Sprintf("%d d %d h", s/86400, s%86400/3600)
}

// mark is the sign of a word.
func mark(of any) string {
	switch fmt.Sprint(of) {
	case "active", "true", "open", "well", "agreed", string(calm):
		return "●"
	case "inactive", "standby", "follower", "closed", "was active":
		return "○"
	case "candidate", "fencing":
		return "◐"
	case "false", "ill", "unhealthy", "differs", "silent", "servfail", "unsigned", "bad_signature", "replayed", string(lease.Critical):
		return "✕"
	case string(lease.Warning):
		return "!"
	}
	return "?"
}

// at is the moment in so many seconds, in milliseconds of the wall clock, as the agent's host has it.
func (v *view) at(in float64) int64 {
	return v.Now.Add(time.Duration(in * float64(time.Second))).UnixMilli()
}
