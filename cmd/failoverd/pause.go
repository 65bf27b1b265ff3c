package main

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/config"
)

func pauseCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pause --for TIME",
		Short: "Has this region decide nothing by itself for a while",
		Long: `For a while this region neither takes nor hands over by itself, whatever its mode.
It goes on with what it holds, renews, pledges to others, and fences when it must:
that waits for nobody. switchover and takeover are obeyed all the same.

The other regions go on as they are: to keep the whole group as it is, pause each.
It outlives a restart of the agent, and a reboot; failoverd resume ends it.

Exit codes: 0 done; 1 refused; 2 the command line or the configuration is wrong.`,
		Example: `  failoverd pause --for 2h
  failoverd pause --for 30m --yes --reason "the switch in rack 4 is replaced"`,
		Args: noArgs,
	}
	flags, long := operatorFlagsOf(cmd), cmd.Flags().Duration("for", 0, "how `long`, such as 2h")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed("for") {
			return usageError{errors.New("--for is needed, such as --for 2h: a pause ends by itself")}
		}
		return operate(cmd, flags, func(_ *config.Config, s agent.Status) (operation, error) {
			return pauseFor(audit.Command{Verb: agent.Pause, For: *long}, s, string(s.Region))
		})
	}
	return cmd
}

// pauseFor is an operation that has the region decide nothing by itself for a while.
func pauseFor(said audit.Command, s agent.Status, who string) (operation, error) {
	if said.For <= 0 || said.For > agent.MaxPause {
		return operation{}, usageError{fmt.Errorf("--for %v: want more than 0s, and at most %s", said.For, short(agent.MaxPause))}
	}
	op := operation{said: said, aside: fmt.Sprintf("%s decides nothing by itself until %s; failoverd resume ends that", s.Region, time.Now().Add(said.For).Format(time.DateTime))}
	op.plan.Title = fmt.Sprintf("%s decides nothing by itself for %s:", who, short(said.For))
	op.plan.step(0, "it takes no authority, and hands none over, but by failoverd takeover and switchover")
	op.plan.step(0, "what it holds it goes on with, and fences if it must")
	op.plan.note("the regions, with their modes: %s", modesText(s))
	return op, nil
}

func resumeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Ends a pause",
		Long: `This region decides by itself again what its mode lets it decide: at once.

Exit codes: 0 done; 1 refused; 2 the command line or the configuration is wrong.`,
		Example: `  failoverd resume
  failoverd resume --yes --reason "the switch is in"`,
		Args: noArgs,
	}
	flags := operatorFlagsOf(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return operate(cmd, flags, func(_ *config.Config, s agent.Status) (operation, error) {
			op := operation{said: audit.Command{Verb: agent.Resume}, aside: fmt.Sprintf("%s decides by itself again what its mode lets it: %s", s.Region, s.Mode)}
			op.plan.Title = fmt.Sprintf("%s is not paused.", s.Region)
			if s.Paused != nil {
				op.plan.Title = fmt.Sprintf("%s is paused for %s more. That ends.", s.Region, seconds(*s.Paused))
			}
			return op, nil
		})
	}
	return cmd
}

// short is a duration without its zero units.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
