package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/lease"
)

func switchoverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "switchover --to REGION",
		Short: "Hands this region's authority over to another one",
		Long: `Fences this region, which must be the active one, and hands its authority over
to another: when every layer here is inactive the other one is told, asks every
region for its pledge, and takes, whatever its mode. Nobody waits for a lease to
run out. What will be done is shown first, and asked about.

It is refused where it could not be expected to succeed: where a region does not
answer through the DNS quorum. If the other one then does not take, the regions
that are left take it up again, each as its mode says.

Exit codes: 0 the other region is active; 1 refused, or not active in time;
2 the command line or the configuration is wrong.`,
		Example: `  failoverd switchover --to hz-hel-rtz-prod
  failoverd switchover --to hz-hel-rtz-prod --yes --reason "maintenance of the storage in fsn" -o json`,
		Args: noArgs,
	}
	flags, to := operatorFlagsOf(cmd), cmd.Flags().String("to", "", "the `region` that is to be active")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *to == "" {
			return usageError{errors.New("--to is needed: the region that is to be active")}
		}
		return operate(cmd, flags, func(cfg *config.Config, s agent.Status) (operation, error) {
			op := operation{said: audit.Command{Verb: agent.SwitchOver, Region: lease.Region(*to)}}
			op.plan.Title = fmt.Sprintf("%s hands its authority over to %s:", s.Region, *to)
			op.limit = op.plan.handOverSteps(cfg, s, op.said.Region)
			op.done = func(now agent.Status) string { return peerActive(now, op.said.Region, s.Epoch) }
			return op, nil
		})
	}
	return cmd
}
