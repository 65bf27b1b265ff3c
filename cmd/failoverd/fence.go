package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/applier"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/agent/term"
	"github.com/openova-io/failoverd/check"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// startTime is what the agent's next start takes, systemd's RestartSec of 1 s among it. So long before it would have to fence,
// nothing is left to it any more. Where authority stands it asks nobody before it goes on.
const startTime = check.AgentStart + time.Second

func fenceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "fence",
		Short: "Makes this region's layers inactive, where no agent runs to do it",
		Long: `Fences every layer of the configuration, and returns when all are inactive. It is
for a region whose agent is dead and does not come back; while one runs, it is
refused: stop that, which fences, or use failoverd switchover. It holds the lock
of state_dir, so no agent starts beside it.

It gives no authority up: that ends by itself. An agent that is started before
then goes on with it, and activates the layers again.

--if-due is for systemd's ExecStopPost, which runs whenever the agent has ended,
and before it is started again. It does nothing while an agent that is started now
could still go on with the authority on disk, and fences when that is too late; where
starts fail one after the other it is called after each. Nor does it where nothing was
ever on disk and the agent could not begin. An agent that a second signal has ended
while it stopped is not waited for. Where another instance of the region acts, it
leaves the layers to that one.

Exit codes: 0 every layer is inactive, or nothing had to be done; 1 some layer is
not inactive in time, or an agent runs; 2 the command line or the configuration is wrong.`,
		Example: "  failoverd fence\n  ExecStopPost=/usr/bin/failoverd fence --if-due --config /etc/failoverd/failoverd.yaml",
		Args:    noArgs,
	}
	path := configFlag(cmd)
	ifDue := cmd.Flags().Bool("if-due", false, "only if no agent that is started now could go on")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return fence(cmd.Context(), cmd.OutOrStdout(), *path, *ifDue)
	}
	return cmd
}

func fence(ctx context.Context, out io.Writer, path string, ifDue bool) error {
	cfg, err := loadConfig(path)
	if err != nil {
		return err
	}
	log := hclog.New(&hclog.LoggerOptions{Name: "failoverd", Level: hclog.LevelFromString(cfg.Log.Level), JSONFormat: cfg.Log.Format == "json", Output: os.Stderr})
	// To fence takes no witness, and none of the secrets: one that is wrong, and keeps an agent from starting, must not keep this from it.
	applied, err := buildLayers(cfg, nil, log)
	if err != nil {
		return usageError{err}
	}
	dir, err := statedir.Open(cfg.StateDir)
	if errors.Is(err, statedir.ErrInUse) && ifDue {
		fmt.Fprintln(out, "an agent runs: nothing to do")
		return nil
	}
	if err != nil {
		return fmt.Errorf("%w; a running agent fences when it is stopped, or by failoverd switchover", err)
	}
	defer dir.Close()
	saved, err := dir.LoadAuthority()
	if err != nil {
		log.Warn("whether the region has authority is not known", "error", err)
	}
	if ifDue && os.Getenv("SERVICE_RESULT") == "success" && os.Getenv("EXIT_STATUS") == "0" { // systemd.exec(5)
		fmt.Fprintln(out, "the agent has stopped as it was asked to, and has seen to the layers: nothing to do")
		return nil
	}
	if ifDue {
		if why := notDue(ctx, cfg, applied, dir, saved, err); why != "" {
			fmt.Fprintln(out, why+": nothing to do")
			return nil
		}
	}
	return fenceNow(ctx, out, cfg, applied.layers)
}

// notDue says why nothing is to be fenced yet, or by this one; empty: it is. What can't be known is no reason.
//
// systemd says timeout where a stop took too long, and nothing is started after that, or a start did, which has used the
// time up. It says success of an agent that a second signal has ended while it stopped: nothing is started after a stop either.
func notDue(ctx context.Context, cfg *config.Config, applied applied, dir *statedir.Dir, saved lease.Authority, unreadable error) string {
	boot, err := agent.BootClock{}.BootID()
	now := agent.BootClock{}.Now()
	due := saved.Deadline.Add(-time.Duration(cfg.Lease.FenceTimeout) - startTime)
	result := os.Getenv("SERVICE_RESULT")
	switch {
	case unreadable != nil:
		return ""
	case saved == (lease.Authority{}) && !hasRun():
		return "no authority was ever on disk"
	case err == nil && saved.BootID == boot && now < due && result != "timeout" && result != "success":
		return fmt.Sprintf("an agent that is started within %s goes on", seconds(due.Sub(now).Seconds()))
	case cfg.Instances == nil:
		return ""
	}
	id, err := dir.Identity()
	if err != nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(cfg.Lease.RequestTimeout))
	defer cancel()
	record, found, err := term.New(applied.cluster, kube.Namespace(cfg.Kubernetes.Namespace), cfg.Group, cfg.Region).Read(ctx)
	if err == nil && found && record.Holder != "" && !strings.HasSuffix(record.Holder, "_"+id) {
		return fmt.Sprintf("the instance %s acts for the region", record.Holder)
	}
	return ""
}

// hasRun reports whether systemd has told of an agent that may have begun, and so activated layers though no authority
// could be saved. Its watchdog ends one that has, with the exit code of one that could not: such is Go's for SIGABRT.
func hasRun() bool {
	code := os.Getenv("EXIT_CODE")
	couldNotBegin := code == "exited" && os.Getenv("EXIT_STATUS") == strconv.Itoa(exitUsage)
	return code != "" && !couldNotBegin || os.Getenv("SERVICE_RESULT") == "watchdog"
}

// fenceNow fences all layers at once, and tells how it goes.
func fenceNow(ctx context.Context, out io.Writer, cfg *config.Config, all []layers.Layer) error {
	if len(all) == 0 {
		fmt.Fprintln(out, "the configuration has no layers: nothing to do")
		return nil
	}
	stopped := ctx
	timeout := time.Duration(cfg.Lease.FenceTimeout)
	timer, err := agent.BootClock{}.NewTimer()
	if err != nil {
		return fmt.Errorf("make a timer of the boot clock: %w", err)
	}
	began := time.Now()
	events := make(chan applier.Event, 64)
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	a := applier.New(applier.Config{
		Group: cfg.Group, Region: cfg.Region, Layers: all, Clock: agent.BootClock{}, Timer: timer,
		Report: func(ev applier.Event) {
			select {
			case events <- ev:
			case <-ctx.Done():
			}
		},
	})
	defer a.Close()
	a.Fence(lease.Fence{ID: 1, Deadline: agent.BootClock{}.Now().Add(timeout), Reason: lease.ReasonNoAgent}) // no epoch: that on disk may be one that was pledged to
	trouble := map[string]string{}
	for _, l := range all {
		trouble[l.Name()] = "no answer"
	}
	for {
		select {
		case ev := <-events:
			switch ev := ev.(type) {
			case applier.Attempt:
				if ev.Err == nil {
					delete(trouble, ev.Layer)
					fmt.Fprintf(out, "%6.2f s  %s is inactive\n", time.Since(began).Seconds(), ev.Layer)
				} else {
					trouble[ev.Layer] = ev.Err.Error()
				}
			case applier.Done:
				fmt.Fprintf(out, "%6.2f s  every layer is inactive\n", time.Since(began).Seconds())
				return nil
			}
		case <-ctx.Done():
			var left []string
			for _, l := range all {
				if why, is := trouble[l.Name()]; is {
					left = append(left, l.Name()+": "+why)
				}
			}
			after := fmt.Sprintf("fence_timeout, %v", timeout)
			if stopped.Err() != nil {
				after = fmt.Sprintf("%.1f s, when it was told to stop", time.Since(began).Seconds())
			}
			return fmt.Errorf("not every layer is inactive after %s: %s; run it again, or cut the region off by hand", after, strings.Join(left, "; "))
		}
	}
}
