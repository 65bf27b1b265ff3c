package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/check"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/quorum/responder"
)

// checkLive is check --live, of a configuration that is valid; with a measurement if measure is not 0.
func checkLive(cmd *cobra.Command, cfg *config.Config, secrets *config.Secrets, path, output string, frozen []check.Finding, measure time.Duration) error {
	w, err := openWitnesses(cfg, secrets)
	if err != nil {
		return usageError{err}
	}
	applied, err := buildLayers(cfg, w, hclog.NewNullLogger())
	if err != nil {
		return usageError{err}
	}
	if output == "text" {
		if err := printCheck(cmd, cfg, path, output, frozen, nil); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "\nWhat runs:")
	}
	if applied.board != nil {
		applied.board.Read(cmd.Context()) // what the layers find may hang on what those of other regions have told
	}
	var gpus *check.GPUs
	if cfg.GPU.Watches() {
		source, err := gpuSource(cfg.GPU)
		if err != nil {
			return usageError{err}
		}
		defer source.Close()
		gpus = &check.GPUs{Name: cfg.GPU.Source, Source: source}
	}
	receivers, err := buildReceivers(cfg, secrets)
	if err != nil {
		return usageError{err}
	}
	of := check.Config{
		Params: cfg.Params(), Witnesses: w, RoundTrip: assumedRoundTrip,
		Layers: applied.layers, Cluster: applied.cluster, Needs: needs(cfg, applied), GPUs: gpus, Receivers: receivers, Quorum: quorumClientConfig(cfg, secrets), Window: responder.DefaultWindow, Waiting: newProgress(cmd.ErrOrStderr()),
	}
	for _, n := range cfg.AllWitnesses() {
		of.Least = append(of.Least, n.LeastStaleness())
	}
	found := check.Live(cmd.Context(), of)
	if err := cmd.Context().Err(); err != nil {
		return fmt.Errorf("ask what runs: %w", err) // what is silent since nobody waited is no finding
	}
	printFindings(cmd, output, found)
	if measure > 0 {
		measured := check.Measure(cmd.Context(), of, measure)
		printFindings(cmd, output, measured)
		found = append(found, measured...)
	}
	if output == "json" {
		if err := printCheck(cmd, cfg, path, output, frozen, found); err != nil {
			return err
		}
	}
	if n := problems(frozen) + problems(found); n > 0 {
		return fmt.Errorf("check --live: %d of %d findings are problems", n, len(frozen)+len(found))
	}
	return nil
}

// printFindings prints a line for each, in text.
func printFindings(cmd *cobra.Command, output string, found []check.Finding) {
	if output != "text" {
		return
	}
	for _, f := range found {
		fmt.Fprintln(cmd.OutOrStdout(), f)
	}
}

// needs are what the daemon does in the cluster beside its layers.
func needs(cfg *config.Config, a applied) (all []check.Need) {
	if probes := probePermissions(cfg.Health); len(probes) > 0 {
		all = append(all, check.Need{Asked: "probes", Permissions: probes})
	}
	if evictions := evictPermissions(cfg.GPU); len(evictions) > 0 {
		all = append(all, check.Need{Asked: "evictions from GPUs", Permissions: evictions})
	}
	if p := instancePermissions(cfg, kube.Namespace(cfg.Kubernetes.Namespace)); len(p) > 0 {
		all = append(all, check.Need{Asked: "instances", Permissions: p})
	}
	if a.mirror != nil {
		all = append(all, check.Need{
			Asked: "the Lease and Events for kubectl", Permissions: mirrorPermissions(cfg, kube.Namespace(cfg.Kubernetes.Namespace)), Check: a.mirror.Check,
		})
	}
	return all
}

// newProgress shows on the last line of a terminal what is waited for; it shows nothing elsewhere.
func newProgress(out io.Writer) (waiting func(what []string)) {
	width, ok := terminal(out)
	if !ok {
		return nil
	}
	return func(what []string) {
		line := ""
		if len(what) > 0 {
			line = "waiting for " + strings.Join(what, ", ")
		}
		const clearLine = "\r\x1b[K"
		fmt.Fprint(out, clearLine, line[:min(len(line), width-1)]) // one that wraps can't be taken back
	}
}
