package main

import (
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
