package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/gpu/dcgm"
	"github.com/openova-io/failoverd/gpu/exporter"
	gpuwatch "github.com/openova-io/failoverd/gpu/watch"
)

// gpuSource opens the source of GPUs that the configuration names. It asks nobody yet.
func gpuSource(g *config.GPU) (gpuwatch.Source, error) {
	host, err := os.Hostname()
	if err != nil && g.Node == "" {
		return nil, fmt.Errorf("find this host's name, for gpu.node: %w", err)
	}
	if g.Source == config.GPUSourceExporter {
		return exporter.Open(g.Exporter, g.Node, host), nil
	}
	return dcgm.Open(dcgm.Config{HostEngine: g.HostEngine, Node: cmp.Or(g.Node, host), Interval: time.Duration(g.PollInterval)}), nil
}

// buildWatch makes the watch of the GPUs that the configuration names; nil if it names none.
func buildWatch(g *config.GPU, log hclog.Logger) (*gpuwatch.Watch, error) {
	if !g.Watches() {
		if g != nil {
			log.Info("GPUs are not watched, as the section gpu says", "enabled", g.Enabled, "source", g.Source)
		}
		return nil, nil
	}
	source, err := gpuSource(g)
	if err != nil {
		return nil, err
	}
	return gpuwatch.New(gpuwatch.Config{Source: source, Name: g.Source, Interval: time.Duration(g.PollInterval), Now: agent.BootClock{}.Now, Log: log}), nil
}

// printGPUs prints what is known of the GPUs, if they are watched.
func printGPUs(out io.Writer, g *agent.GPUsStatus) {
	if g == nil {
		return
	}
	fmt.Fprintf(out, "\nGPUs, by %s:", g.Source)
	if len(g.GPUs) == 0 && g.Trouble == "" {
		fmt.Fprint(out, " none")
	}
	if g.Trouble != "" {
		fmt.Fprintf(out, " nothing new is known: %s", g.Trouble)
	}
	fmt.Fprintln(out)
	if len(g.GPUs) == 0 {
		return
	}
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "NODE\tGPU\tCONDITION\tFOR\tUSED\tTEMPERATURE\tCAUSES")
	for _, s := range g.GPUs {
		var causes []string
		for _, c := range s.Causes {
			causes = append(causes, fmt.Sprintf("%s (%s)", c.Cause, c.Detail))
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\n", s.Node, s.Index, s.Condition, seconds(s.Since),
			orUnknown("%.0f MiB", s.MemoryUsed), orUnknown("%.0f °C", s.Temperature), strings.Join(causes, ", "))
	}
	table.Flush()
}

func orUnknown(format string, v *float64) string {
	if v == nil {
		return "?"
	}
	return fmt.Sprintf(format, *v)
}
