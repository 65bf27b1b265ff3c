package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
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

// rows is how many nodes or pods a table of evictions has. The rest is counted: -o json has all.
const rows = 20

// printEvictions prints what is known of evictions, if any are made.
func printEvictions(out io.Writer, e *agent.EvictionsStatus) {
	if e == nil {
		return
	}
	fmt.Fprint(out, "\nevictions from GPUs: ")
	if !e.Passed {
		fmt.Fprintln(out, "the cluster has not been looked at yet")
		return
	}
	fmt.Fprintf(out, "%d pods evicted since the start; %d can't leave yet, %d wait for others, %d leave by themselves\n", e.Evicted, len(e.Blocked), e.Waiting, e.Draining)
	if e.Trouble != "" {
		fmt.Fprintf(out, "  not done: %s\n", e.Trouble)
	}
	if len(e.Nodes) > 0 {
		printRows(out, "NODE\tPODS LEAVE\tCORDONED FOR\tNOT UN-CORDONED FOR", e.Nodes, func(n agent.EvictionNodeStatus) string {
			var closed []string
			for _, g := range n.Gates {
				if !g.Open {
					closed = append(closed, fmt.Sprintf("%s: %s", g.Code, g.Evidence))
				}
			}
			return fmt.Sprintf("%s\t%s\t%s\t%s", n.Name, leaves(n.Leave), cordonedFor(n.Cordoned), strings.Join(closed, "; "))
		})
	}
	if len(e.Blocked) > 0 {
		printRows(out, "POD THAT CAN'T LEAVE\tNODE\tPRIORITY\tBUDGET\tFOR\tWHY", e.Blocked, func(b agent.BlockedStatus) string {
			return fmt.Sprintf("%s/%s\t%s\t%d\t%s\t%s\t%s", b.Namespace, b.Name, b.Node, b.Priority, b.Budget, seconds(b.Since), b.Why)
		})
	}
	if len(e.Stopped) > 0 {
		printRows(out, "STOPPED\tNAME", e.Stopped, func(s agent.StoppedStatus) string {
			return fmt.Sprintf("%s\t%s", s.Kind, strings.TrimPrefix(s.Namespace+"/"+s.Name, "/"))
		})
	}
	if len(e.Recent) > 0 {
		printRows(out, "EVICTED\tNODE\tPRIORITY\tAGO", e.Recent, func(p agent.EvictedStatus) string {
			return fmt.Sprintf("%s/%s\t%s\t%d\t%s", p.Namespace, p.Name, p.Node, p.Priority, seconds(p.Age))
		})
	}
	var kept []string
	for _, why := range gpu.Keeps {
		if n := e.Kept[why]; n > 0 {
			kept = append(kept, fmt.Sprintf("%d %s", n, why))
		}
	}
	if len(kept) > 0 {
		fmt.Fprintf(out, "  pods that are left: %s\n", strings.Join(kept, ", "))
	}
	if len(e.Absent) > 0 {
		fmt.Fprintf(out, "  not in this cluster, so not stopped: %s\n", strings.Join(e.Absent, ", "))
	}
}

func printRows[T any](out io.Writer, head string, all []T, row func(T) string) {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, head)
	for _, x := range all[:min(len(all), rows)] {
		fmt.Fprintln(table, row(x))
	}
	table.Flush()
	if more := len(all) - rows; more > 0 {
		fmt.Fprintf(out, "and %d more\n", more)
	}
}

func leaves(pace string) string {
	if pace == "" {
		return "no"
	}
	return strings.ReplaceAll(pace, "_", " ")
}

func cordonedFor(marks []gpu.Mark) string {
	if len(marks) == 0 {
		return "by somebody else"
	}
	var all []string
	for _, m := range marks {
		all = append(all, string(m))
	}
	return strings.Join(all, ", ")
}
