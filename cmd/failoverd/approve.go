package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/lease"
)

func approveCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "approve",
		Short: "Lets a semi-automatic region do what it asks for",
		Long: `A region in semi-automatic mode prepares everything, to take, or to hand over while
it is degraded, and asks. This shows what it would do, and lets it. Who else could
act is shown too: of two regions that ask, approve one.

The approval is good for approval_timeout, once.

Exit codes: 0 it is done; 1 refused, or not done in time; 2 the command line or
the configuration is wrong.`,
		Example: `  failoverd approve
  failoverd approve --yes --reason "fsn is down, incident 1234"`,
		Args: noArgs,
	}
	flags := operatorFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return operate(cmd, flags, func(cfg *config.Config, s agent.Status) (operation, error) {
			op := operation{said: audit.Command{Verb: agent.Approve, Request: requested(s)}}
			op.plan.Title = asked(s)
			if op.said.Request == lease.RequestHandOver {
				op.limit = op.plan.handOverSteps(cfg, s, "")
				op.done = func(now agent.Status) string { return peerActive(now, "", s.Epoch) }
				return op, nil
			}
			op.limit, op.done = op.plan.takeSteps(cfg, s, 0), activeHere
			return op, nil
		})
	}
	return cmd
}

func denyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "deny",
		Short: "Has a semi-automatic region not do what it asks for",
		Long: `Has this region not take, or hand over, as it asks to, and decide nothing by itself
for a while: it withdraws its flag, so that another region can take. failoverd
resume ends that.

Exit codes: 0 done; 1 refused; 2 the command line or the configuration is wrong.`,
		Example: `  failoverd deny
  failoverd deny --for 1h --yes --reason "hel is to take"`,
		Args: noArgs,
	}
	flags := operatorFlagsOf(cmd)
	long := cmd.Flags().Duration("for", 0, "how `long` (default approval_timeout)")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return operate(cmd, flags, func(cfg *config.Config, s agent.Status) (operation, error) {
			d := *long
			if !cmd.Flags().Changed("for") {
				d = time.Duration(cfg.ApprovalTimeout)
			}
			return pauseFor(audit.Command{Verb: agent.Deny, Request: requested(s), For: d}, s, asked(s)+" It will not, and")
		})
	}
	return cmd
}

// requested is what the region asks for; empty for nothing, which the agent refuses with its gate.
func requested(s agent.Status) lease.RequestKind {
	if s.Approval == nil {
		return ""
	}
	return s.Approval.Kind
}

// asked says what the region asks for.
func asked(s agent.Status) string {
	if s.Approval == nil {
		return ""
	}
	what := map[lease.RequestKind]string{lease.RequestTake: "take over", lease.RequestHandOver: "hand over, since it is degraded"}[s.Approval.Kind]
	return fmt.Sprintf("%s asks to %s, for %s now.", s.Region, what, seconds(s.Approval.Since))
}
