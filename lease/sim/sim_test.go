package sim

import (
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

func defaults() lease.Params {
	return lease.Params{
		Group: "g", Members: []lease.Region{"east", "north", "west"},
		TTL: 30 * time.Second, RenewInterval: 10 * time.Second, RetryInterval: 2 * time.Second,
		PollInterval: 2 * time.Second, RequestTimeout: 5 * time.Second, FenceTimeout: 10 * time.Second,
		MaxClockDrift: 0.002, Staleness: 60 * time.Second,
	}
}

func TestTry(t *testing.T) {
	start := time.Now()
	var sim time.Duration
	steps := 0
	for seed := range uint64(400) {
		res := Run(Config{Seed: seed, Duration: 2 * time.Hour, Params: defaults(), Faults: Faults{Deaths: seed%2 == 0, Chaos: seed%2 == 1}})
		sim += res.Simulated
		steps += res.Steps
		if res.Violation != "" || seed < 4 {
			t.Log(seed, res.Violation, res.At, res.Takes, res.Gaps, res.Faults, res.Held)
		}
	}
	t.Logf("%.0f sim s/s, %d steps, %v", sim.Seconds()/time.Since(start).Seconds(), steps, time.Since(start))
}

func TestTrace(t *testing.T) {
	res := Run(Config{Seed: 33, Duration: 2 * time.Hour, Params: defaults(), Faults: Faults{Chaos: true}, Trace: func(l string) { t.Log(l) }})
	t.Log(res.Violation)
}
