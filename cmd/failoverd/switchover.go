package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/lease"
)

func switchoverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "switchover --to REGION --reason TEXT",
		Short: "Hands this region's authority over to another one",
		Long: `Fences this region, which must be the active one, and hands its authority over
to another: when every layer here is inactive the other one is told, asks every
region for its pledge, and takes. Nobody waits for a lease to run out.

It is refused where it could not be expected to succeed: where a region does not
answer through the DNS quorum. If the other one then does not take, the regions
that are left take it up again by themselves.

Exit codes: 0 the other region is active; 1 refused, or not active in time;
2 the command line or the configuration is wrong.`,
		Example: `  failoverd switchover --to hz-hel-rtz-prod --reason "maintenance of the storage in fsn"`,
		Args:    noArgs,
	}
	path, to, reason := configFlag(cmd), regionFlag(cmd, "to", "the `region` that is to be active"), reasonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return orderAndWatch(cmd, *path, pathSwitchover, order{lease.Region(*to), *reason}, func(s agent.Status) string {
			for _, p := range s.Peers {
				if string(p.Region) == *to && p.Quorum != nil && p.Quorum.Authority && p.Quorum.Epoch > s.Epoch && s.State == lease.Standby {
					return fmt.Sprintf("%s is active for epoch %d", *to, p.Quorum.Epoch)
				}
			}
			return ""
		})
	}
	return cmd
}

func takeoverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "takeover --peer-is-fenced REGION --reason TEXT",
		Short: "Takes over from a region that you know to be down, while the witness is down too",
		Long: `With the witness down nobody can tell a dead region from one that is cut off, so
nobody takes over from it. You can: make sure that the region is down, its
layers too, and that it STAYS down, for a TTL at least and until this region
has renewed at the witness again; then say so here. This region asks all the
others for their pledges and takes.

If the region you name is alive, two will be active and their data diverges.

Exit codes: 0 this region is active; 1 refused, or not active in time; 2 the
command line or the configuration is wrong.`,
		Example: `  failoverd takeover --peer-is-fenced hz-fsn-rtz-prod --reason "power is off in fsn, confirmed by the data centre"`,
		Args:    noArgs,
	}
	path, fenced, reason := configFlag(cmd), regionFlag(cmd, "peer-is-fenced", "the `region` that is down for certain, and stays down"), reasonFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return orderAndWatch(cmd, *path, pathTakeover, order{lease.Region(*fenced), *reason}, func(s agent.Status) string {
			if s.State == lease.Active {
				return fmt.Sprintf("%s is active for epoch %d", s.Region, s.Epoch)
			}
			return ""
		})
	}
	return cmd
}

func regionFlag(cmd *cobra.Command, name, usage string) *string {
	return cmd.Flags().String(name, "", usage)
}

func reasonFlag(cmd *cobra.Command) *string {
	return cmd.Flags().String("reason", "", "why, in a `text` for the log")
}

// orderAndWatch gives an order and tells how it goes, until done says how it ended.
func orderAndWatch(cmd *cobra.Command, path, what string, o order, done func(agent.Status) string) error {
	if o.Region == "" || o.Reason == "" {
		return usageError{fmt.Errorf("a region and a --reason are needed, as in: %s", strings.TrimSpace(cmd.Example))}
	}
	cfg, err := loadConfig(path)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := command(cmd.Context(), cfg.API.Socket, what, o); err != nil {
		return err
	}
	limit := time.Duration(cfg.Lease.FenceTimeout) + 2*time.Duration(cfg.Lease.RequestTimeout)
	ctx, cancel := context.WithTimeout(cmd.Context(), limit)
	defer cancel()
	return watch(ctx, cmd.OutOrStdout(), cfg.API.Socket, began, limit, done)
}

func watch(ctx context.Context, out io.Writer, socket string, began time.Time, limit time.Duration, done func(agent.Status) string) error {
	var last lease.StateName
	for {
		status, err := getStatus(ctx, overSocket(socket), "failoverd")
		if err == nil && status.State != last {
			last = status.State
			fmt.Fprintf(out, "%6.2f s  %s is %s: %s\n", time.Since(began).Seconds(), status.Region, status.State, status.Reason.Title)
		}
		if err == nil {
			if end := done(status); end != "" {
				fmt.Fprintf(out, "%6.2f s  %s\n", time.Since(began).Seconds(), end)
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it has begun, and has not come to its end within %v; see failoverd explain", limit)
		case <-time.After(100 * time.Millisecond):
		}
	}
}
