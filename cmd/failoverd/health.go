package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/config"
	gpuwatch "github.com/openova-io/failoverd/gpu/watch"
	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/health/probe"
	"github.com/openova-io/failoverd/layers/kube"
)

// buildProbes makes the probes that the configuration names. cluster and gpus are nil where none needs them.
func buildProbes(h *config.Health, cluster *kube.Client, gpus *gpuwatch.Watch) (probes []agent.Probe) {
	if h == nil {
		return nil
	}
	for _, p := range h.Probes {
		probes = append(probes, agent.Probe{
			Signal:  health.Signal{Name: p.Name, Kind: p.Kinds()[0], Interval: time.Duration(p.Interval)},
			Timeout: time.Duration(p.Timeout), Look: look(p, cluster, gpus),
		})
	}
	return probes
}

func look(p config.Probe, cluster *kube.Client, gpus *gpuwatch.Watch) func(context.Context) (health.Verdict, string) {
	switch p.Kinds()[0] {
	case health.HTTP:
		return probe.HTTP(p.HTTP)
	case health.TCP:
		return probe.TCP(p.TCP)
	case health.DNS:
		name, server, _ := strings.Cut(p.DNS, "@")
		return probe.DNS(name, server)
	case health.NodesReady:
		return probe.NodesReady(cluster, float64(p.NodesReady))
	case health.APILatency:
		return probe.APILatency(cluster, time.Duration(p.APILatency))
	case health.Gateway:
		return probe.GatewayProgrammed(cluster, p.Gateway)
	case health.CNPG:
		return probe.CNPGHealthy(cluster, p.CNPG)
	case health.GPUs:
		return probe.GPUsHealthy(gpus.Found, float64(p.GPUs))
	default:
		return probe.CiliumAgent(p.Cilium)
	}
}

// probePermissions are what the daemon has to be allowed for its probes.
func probePermissions(h *config.Health) (all []kube.Permission) {
	if h == nil {
		return nil
	}
	for _, p := range h.Probes {
		all = append(all, probe.Permissions(p.Kinds()...)...)
	}
	return all
}

// healthParams are the thresholds of the configuration.
func healthParams(h *config.Health) (p health.Params) {
	if h != nil {
		p.DegradedAfter, p.RecoveredAfter = time.Duration(h.DegradedAfter), time.Duration(h.RecoveredAfter)
	}
	return p
}

// printHealth prints how the region is, if anybody looks.
func printHealth(out io.Writer, h *agent.HealthStatus) {
	if h == nil {
		return
	}
	how := "well"
	if h.Degraded {
		how = "degraded"
		if h.Since != nil {
			how += " for " + seconds(*h.Since)
		}
	}
	fmt.Fprintf(out, "\nthe region is %s\n", how)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PROBE\tKIND\tVERDICT\tFOR\tDETAIL")
	for _, s := range h.Signals {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", s.Name, s.Kind, s.Verdict, seconds(s.Since), s.Detail)
	}
	table.Flush()
}
