package main

import (
	"fmt"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/evict"
	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/layers/kube"
)

// buildEvictor makes the evictor that the configuration asks for; nil if it asks for none.
func buildEvictor(g *config.GPU, cluster *kube.Client, log hclog.Logger) (*evict.Evictor, error) {
	if !g.Evicts() {
		return nil, nil
	}
	e, err := evict.New(cluster, evict.Config{
		Selector: g.Evict.Selector, MaxPriority: int64(g.Evict.MaxPriority), GracePeriod: time.Duration(g.Evict.GracePeriod),
		Budget: int64(g.Evict.Budget), Now: agent.BootClock{}.Now, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("gpu.evict: %w", err)
	}
	return e, nil
}

// evictPermissions are what the daemon has to be allowed for evictions.
func evictPermissions(g *config.GPU) []kube.Permission {
	if !g.Evicts() {
		return nil
	}
	return evict.Permissions()
}

// situation is what there may be to evict for.
func (d *daemon) situation() (s evict.Situation) {
	if d.gpus != nil {
		s.GPUs = d.gpus.Found().States
	}
	s.Region = regionCondition(d.agent.Status().Health, healthParams(d.cfg.Health).RecoveredAfter)
	return s
}

// regionCondition is how the region is, for its GPUs. A daemon that has seen it degraded
// knows when it has recovered; one that has not may have been restarted meanwhile, and
// looks for as long as a recovery takes.
func regionCondition(h *agent.HealthStatus, recoveredAfter time.Duration) gpu.Condition {
	switch {
	case h == nil:
		return gpu.Unknown
	case h.Degraded:
		return gpu.Unhealthy
	case h.Since != nil:
		return gpu.Healthy
	}
	condition := gpu.Unknown
	for _, s := range h.Signals {
		switch {
		case s.Verdict == health.Ill:
			return gpu.Unknown
		case s.Verdict == health.Well && s.Since >= recoveredAfter.Seconds():
			condition = gpu.Healthy
		}
	}
	return condition
}
