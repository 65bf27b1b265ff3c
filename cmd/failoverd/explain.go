package main

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/lease"
)

func explainCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "explain",
		Short: "Says why the region is not active, gate by gate, or why it is",
		Long: `Prints each condition of taking over (each gate), whether it holds, what it
rests on, when it opens at the earliest by waiting, and what an operator can do.`,
		Example: "  failoverd explain\n  failoverd explain -o json | jq '.gates[] | select(.open | not)'",
		Args:    noArgs,
	}
	path, address, output := configFlag(cmd), addressFlag(cmd), outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return showStatus(cmd.Context(), cmd.OutOrStdout(), *path, *address, *output, printExplain)
	}
	return cmd
}

func printExplain(out io.Writer, s agent.Status) {
	fmt.Fprintf(out, "%s is %s: %s\n", s.Region, s.State, s.Reason.Text)
	printMode(out, s)
	if s.Authority {
		fmt.Fprintf(out, "It holds authority for epoch %d, for %s more unless it is renewed.\n", s.Epoch, seconds(s.AuthorityRemaining))
		printLayerTrouble(out, s)
		if s.Health != nil && len(s.Health.Gates) > 0 {
			fmt.Fprintln(out, "\nIt is degraded, and hands over as soon as all of these hold:")
			printGates(out, s.Health.Gates)
		}
		return
	}
	for _, p := range s.Peers {
		if p.Region == s.Holder && p.RecordAge != nil {
			fmt.Fprintf(out, "The last known holder is %s; its newest record came %s ago.\n", s.Holder, seconds(*p.RecordAge))
		}
	}
	printLayerTrouble(out, s)
	byQuorum := slices.ContainsFunc(s.Gates, func(g agent.GateStatus) bool { return g.Path == lease.PathQuorum })
	title := map[lease.Path]string{
		"":                "It takes over when all of these hold",
		lease.PathWitness: "and, by the witness, when the lease of every other region can have run out",
		lease.PathQuorum:  "or, by the DNS quorum, at once",
	}
	path := lease.Path("none")
	for _, g := range s.Gates {
		if g.Path != path {
			if path = g.Path; byQuorum || path == "" {
				fmt.Fprintf(out, "\n%s:\n", title[path])
			}
		}
		printGate(out, g)
	}
}

// printLayerTrouble names the layers that are not what the region has them be, and why.
func printLayerTrouble(out io.Writer, s agent.Status) {
	for _, l := range s.Layers {
		if l.Trouble != "" {
			fmt.Fprintf(out, "Its layer %s is %s. %s\n", l.Name, l.State, l.Trouble)
		}
	}
}

func printGates(out io.Writer, gates []agent.GateStatus) {
	for _, g := range gates {
		printGate(out, g)
	}
}

func printGate(out io.Writer, g agent.GateStatus) {
	mark := "no "
	if g.Open {
		mark = "yes"
	}
	fmt.Fprintf(out, "\n  [%s] %s", mark, g.Title)
	if g.Region != "" && !g.Open {
		fmt.Fprintf(out, " (%s)", g.Region)
	}
	fmt.Fprintf(out, "\n        %s\n", g.Text)
	if g.Open {
		return
	}
	if g.EvidenceAge != nil {
		fmt.Fprintf(out, "        its evidence is %s old\n", seconds(*g.EvidenceAge))
	}
	if g.OpensIn != nil {
		fmt.Fprintf(out, "        opens in %s at the earliest\n", seconds(*g.OpensIn))
	}
	if g.Remedy != "" {
		fmt.Fprintf(out, "        what to do if it stays so: %s\n", g.Remedy)
	}
}
