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

func takeoverCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "takeover [--peer-is-fenced REGION]",
		Short: "Has this region take over, by your order",
		Long: `Has this region take as soon as that is safe: when no lease of another region can
stand any more, or every other one has pledged. It is for a region in manual mode,
or one that is paused; one in automatic mode does so by itself.

--peer-is-fenced is for a dead region while the witness is down too. Nobody can
tell a dead region from one that is cut off then, so nobody takes over from it. You
can: make sure that the region is down, its layers too, and that it STAYS down, for
a TTL at least and until this region has renewed at the witness again; then name it
here. This region asks all the others for their pledges and takes.

If the region that you name is alive, two will be active and their data diverges.

Exit codes: 0 this region is active; 1 refused, or not active in time; 2 the
command line or the configuration is wrong.`,
		Example: `  failoverd takeover
  failoverd takeover --peer-is-fenced hz-fsn-rtz-prod --yes --reason "power is off in fsn, confirmed by the data centre"`,
		Args: noArgs,
	}
	flags, fenced := operatorFlagsOf(cmd), cmd.Flags().String("peer-is-fenced", "", "the `region` that is down for certain, and stays down")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return operate(cmd, flags, func(cfg *config.Config, s agent.Status) (operation, error) {
			op := operation{said: audit.Command{Verb: agent.TakeOver, Region: lease.Region(*fenced)}, done: activeHere}
			op.plan.Title = fmt.Sprintf("%s takes over, as soon as that is safe:", s.Region)
			p := cfg.Params()
			wait := p.LongestGapStale(p.RequestTimeout) + time.Duration(len(p.Members))*p.Turn()
			if *fenced != "" {
				op.plan.Title = fmt.Sprintf("%s takes over without the pledge of %s:", s.Region, *fenced)
				op.plan.note("IF %s IS ALIVE, OR COMES BACK TOO SOON, TWO REGIONS ARE ACTIVE AND THEIR DATA DIVERGES. Make sure that it is down, and stays down until %s has renewed at the witness", *fenced, s.Region)
				wait = 0
			}
			op.limit = op.plan.takeSteps(cfg, s, wait)
			return op, nil
		})
	}
	return cmd
}
