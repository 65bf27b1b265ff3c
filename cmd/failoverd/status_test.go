package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
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

// TestLargeStatus: each pod that can't leave is in a status, so that of a large cluster is large; one that is larger still is refused.
func TestLargeStatus(t *testing.T) {
	status := agent.Status{Group: "g", Region: "a", Evictions: &agent.EvictionsStatus{}}
	for i := range 10_000 {
		status.Evictions.Blocked = append(status.Evictions.Blocked, agent.BlockedStatus{
			PodStatus: agent.PodStatus{Namespace: "training", Name: fmt.Sprintf("worker-%d", i), Node: "gpu-1"}, Budget: "workers", Why: strings.Repeat("the budget allows none; ", 10),
		})
	}
	large := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { json.NewEncoder(w).Encode(status) }))
	defer large.Close()
	got, err := getStatus(t.Context(), http.DefaultClient, strings.TrimPrefix(large.URL, "http://"), "")
	if err != nil || len(got.Evictions.Blocked) != 10_000 {
		t.Errorf("a status of 10,000 pods: %v", err)
	}
	if _, err := readStatus(strings.NewReader(`{"region": "an answer without end`), 20); err == nil || err.Error() != "it is longer than 20 bytes" {
		t.Errorf("got %v, want that the answer is too long", err)
	}
}
