package main

import (
	"errors"
	"fmt"
	"io/fs"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/lease"
)

func historyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Says what was: the region's changes of state",
		Long: `Prints the changes of state that the agent of this region has recorded in
state_dir, oldest first, and what the journal says of each: who has commanded it
and why, and after what time each layer was what the new state has it be. It works
with and without a running agent.`,
		Example: "  failoverd history --limit 20\n  failoverd history -o json",
		Args:    noArgs,
	}
	path, output := configFlag(cmd), outputFlag(cmd)
	limit := cmd.Flags().Int("limit", 50, "print at most this `many`, the newest; 0: all that is kept")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(*path)
		if err != nil {
			return err
		}
		entries, err := statedir.ReadHistory(cfg.StateDir, *limit)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("state_dir %s is not there: no agent has started with this configuration on this machine; start one with `failoverd run`, or correct state_dir", cfg.StateDir)
		}
		if err != nil {
			return err
		}
		all, err := episodes(cfg, entries)
		if err != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "no more is known of these: %v\n", err)
		}
		if *output == "json" {
			return printJSON(cmd.OutOrStdout(), all)
		}
		if len(entries) == 0 {
			fmt.Fprintf(cmd.OutOrStdout(), "nothing has been recorded in %s\n", cfg.StateDir)
			return nil
		}
		table := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "TIME\tREGION\tFROM\tTO\tEPOCH\tWHY")
		for _, e := range all {
			from := e.From
			if from == "" {
				from = "-"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\n", e.Time.Format(time.RFC3339), e.Region, from, e.To, e.Epoch, lease.ReasonOf(e.Reason).Title)
			for _, line := range e.details() {
				fmt.Fprintf(table, "\t\t\t\t\t  %s\n", line)
			}
		}
		return table.Flush()
	}
	return cmd
}
