package main

import (
	"strings"
	"testing"

	"github.com/openova-io/failoverd/agent"
)

// TestStatusAlarms: an alarm says what it is about, a region, one of several witnesses, or both.
func TestStatusAlarms(t *testing.T) {
	stale := agent.ReasonStatus{Severity: "critical", Title: "stale", Text: "too old"}
	var out strings.Builder
	printStatus(&out, agent.Status{Alarms: []agent.AlarmStatus{
		{ReasonStatus: stale, Region: "hel"}, {ReasonStatus: stale, Witness: "kv"}, {ReasonStatus: stale, Region: "hel", Witness: "kv"}, {ReasonStatus: stale},
	}})
	wants(t, out.String(), "critical: stale (hel): too old\n", "critical: stale (witness kv): too old\n", "critical: stale (hel at witness kv): too old\n", "critical: stale: too old\n")
}
