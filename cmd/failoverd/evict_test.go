package main

import (
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/health"
)

func TestRegionCondition(t *testing.T) {
	signal := func(v health.Verdict, since float64) agent.SignalStatus {
		return agent.SignalStatus{Verdict: v, Since: since}
	}
	since := 1.0
	for _, test := range []struct {
		name string
		h    *agent.HealthStatus
		want gpu.Condition
	}{
		{"nobody looks", nil, gpu.Unknown},
		{"degraded", &agent.HealthStatus{Degraded: true, Since: &since}, gpu.Unhealthy},
		{"recovered", &agent.HealthStatus{Since: &since}, gpu.Healthy},
		{"just started", &agent.HealthStatus{Signals: []agent.SignalStatus{signal(health.Unknown, 900)}}, gpu.Unknown},
		{"well, not for long", &agent.HealthStatus{Signals: []agent.SignalStatus{signal(health.Well, 299)}}, gpu.Unknown},
		{"well for long", &agent.HealthStatus{Signals: []agent.SignalStatus{signal(health.Unknown, 900), signal(health.Well, 300)}}, gpu.Healthy},
		{"one ill", &agent.HealthStatus{Signals: []agent.SignalStatus{signal(health.Well, 900), signal(health.Ill, 1)}}, gpu.Unknown},
	} {
		if got := regionCondition(test.h, 5*time.Minute); got != test.want {
			t.Errorf("%s: got %s, want %s", test.name, got, test.want)
		}
	}
}

func TestPrintEvictions(t *testing.T) {
	var many []agent.BlockedStatus
	for range rows + 2 {
		many = append(many, agent.BlockedStatus{PodStatus: agent.PodStatus{Namespace: "jobs", Name: "a", Node: "gpu-1", Priority: 5}, Budget: "b", Why: "no", Since: 70})
	}
	for _, tt := range []struct {
		name string
		e    *agent.EvictionsStatus
		want string
	}{
		{"nobody evicts", nil, ""},
		{"not yet", &agent.EvictionsStatus{}, "\nevictions from GPUs: the cluster has not been looked at yet\n"},
		{"nothing to do", &agent.EvictionsStatus{Passed: true, Trouble: "no API server", Absent: []string{"x", "y"}}, `
evictions from GPUs: 0 pods evicted since the start; 0 can't leave yet, 0 wait for others, 0 leave by themselves
  not done: no API server
  not in this cluster, so not stopped: x, y
`},
		{"all of it", &agent.EvictionsStatus{
			Passed: true, Evicted: 7, Waiting: 1, Draining: 3, Blocked: many[:1], Kept: map[gpu.Keep]int{gpu.KeepSelector: 1, gpu.KeepPriority: 2},
			Nodes: []agent.EvictionNodeStatus{
				{Name: "gpu-1", Leave: "at_once", Cordoned: []gpu.Mark{gpu.MarkGPU, gpu.MarkRegion}, Gates: []agent.UncordonGateStatus{{Code: gpu.GateRecovered, Evidence: "not known"}, {Code: gpu.GateBudget, Open: true, Evidence: "none"}}},
				{Name: "gpu-2", Leave: "one_by_one"},
			},
			Stopped: []agent.StoppedStatus{{Kind: "clusterqueues", Name: "gpus"}, {Kind: "workloads", Namespace: "jobs", Name: "w"}},
			Recent:  []agent.EvictedStatus{{PodStatus: agent.PodStatus{Namespace: "jobs", Name: "z", Node: "gpu-1"}, Age: 5}},
		}, `
evictions from GPUs: 7 pods evicted since the start; 1 can't leave yet, 1 wait for others, 3 leave by themselves
NODE   PODS LEAVE  CORDONED FOR      NOT UN-CORDONED FOR
gpu-1  at once     gpu, region       recovered: not known
gpu-2  one by one  by somebody else  
POD THAT CAN'T LEAVE  NODE   PRIORITY  BUDGET  FOR    WHY
jobs/a                gpu-1  5         b       1m10s  no
STOPPED        NAME
clusterqueues  gpus
workloads      jobs/w
EVICTED  NODE   PRIORITY  AGO
jobs/z   gpu-1  0         5.0 s
  pods that are left: 1 selector, 2 priority
`},
	} {
		var out strings.Builder
		printEvictions(&out, tt.e)
		if got := out.String(); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, tt.want)
		}
	}
	var out strings.Builder
	printEvictions(&out, &agent.EvictionsStatus{Passed: true, Blocked: many})
	if got := out.String(); strings.Count(got, "jobs/a") != rows || !strings.Contains(got, "and 2 more\n") {
		t.Errorf("got\n%s\nwant %d rows, and 2 more", got, rows)
	}
}
