package main

import (
	"fmt"
	"io"
	"os"

	"github.com/hashicorp/go-hclog"
	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/demo"
)

func demoCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Shows failover on this machine, in under a minute",
		Long: `Runs three agents with a small service each, on loopback, with a file witness,
three caching DNS resolvers and a TTL of 3 s; kills, freezes and cuts off
whichever region is active, takes the witness away, has a resolver lie, and
switches over; and asks all three services ten times a second who answers. Each
agent has its status page, for a browser on this machine: the first lines say
where. At the end it verifies and replays the agents' journals. It needs nothing
but this binary, and leaves nothing behind.

Exit codes: 0 no two ever answered at once, every gap kept to its bound, and every
journal replays to the same actions; 1 otherwise, or stopped; 2 it could not begin,
and says why.`,
		Example: "  failoverd demo\n  failoverd demo -o json | jq .acts\n  failoverd demo --log agents.log",
		Args:    noArgs,
	}
	output := outputFlag(cmd)
	path := cmd.Flags().String("log", "", "a `file` for the logs of the agents")
	cmd.MarkFlagFilename("log")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		log := hclog.NewNullLogger()
		if *path != "" {
			f, err := os.Create(*path)
			if err != nil {
				return usageError{fmt.Errorf("--log: %w", err)}
			}
			defer f.Close()
			log = hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: f})
		}
		// With -o json only the report is on standard output.
		out := cmd.OutOrStdout()
		if *output == "json" {
			out = cmd.ErrOrStderr()
		}
		screen := newScreen(out)
		report, err := demo.Run(cmd.Context(), log, screen)
		if report == nil {
			return usageError{err}
		}
		screen.End()
		if *output == "json" {
			if err := printJSON(cmd.OutOrStdout(), report); err != nil {
				return err
			}
		} else {
			report.Print(out)
		}
		if wrong := report.Err(); wrong != nil {
			return wrong
		}
		return err
	}
	return cmd
}

// leastWidth is the width of the narrowest terminal that the timeline is redrawn on: lines that
// wrap can't be.
const leastWidth = 40

// newScreen is a live one on a terminal.
func newScreen(out io.Writer) *demo.Screen {
	screen := &demo.Screen{Out: out, Members: demo.Params().Members, Width: 80}
	if columns, ok := terminal(out); ok {
		screen.Width, screen.Live = columns, columns >= leastWidth
	}
	return screen
}
