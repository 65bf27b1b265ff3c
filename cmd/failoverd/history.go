package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/lease"
)

// An episode is one as -o json has it.
type episode struct {
	statedir.Episode
	ServiceGap *float64 `json:"service_gap_at_most_seconds,omitempty"` // nil where it is not known
}

func said(all []statedir.Episode) []episode {
	out := make([]episode, len(all)) // none is [], not null
	for i, e := range all {
		out[i].Episode = e
		if seconds, ok := e.ServiceGap(); ok {
			out[i].ServiceGap = &seconds
		}
	}
	return out
}

func historyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "history",
		Short: "Says what was: the region's changes of state",
		Long: `Prints the changes of state that the agent of this region has recorded in
state_dir, oldest first, and of each: who has commanded it and why; for how long
no region was active, as far as this one can know; after what time each layer was
what the new state has it be; and how far its data had come, beside what had been
heard of the region that was primary before. It works with and without a running
agent.

A region that has taken over knows when the newest word came that another one was
active, and how old that was at most. One that was active knows when it began to
fence, and when the first word came that another one is. What it says is no less
than the gap was; of a hand-over look at both, and take the shorter one.`,
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
		all, err := statedir.ReadHistory(cfg.StateDir, *limit)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("state_dir %s is not there: no agent has started with this configuration on this machine; start one with `failoverd run`, or correct state_dir", cfg.StateDir)
		}
		if err != nil {
			return err
		}
		if *output == "json" {
			return printJSON(cmd.OutOrStdout(), said(all))
		}
		if len(all) == 0 {
			fmt.Fprintf(cmd.OutOrStdout(), "nothing has been recorded in %s\n", cfg.StateDir)
			return nil
		}
		var rows bytes.Buffer
		table := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "TIME\tREGION\tFROM\tTO\tEPOCH\tWHY")
		for _, e := range all {
			from := e.From
			if from == "" {
				from = "-"
			}
			fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%d\t%s\n", e.Time.Format(time.RFC3339), e.Region, from, e.To, e.Epoch, lease.ReasonOf(e.Reason).Title)
		}
		table.Flush()
		head, rest, _ := strings.Cut(rows.String(), "\n")
		fmt.Fprintln(cmd.OutOrStdout(), head)
		for i, row := range slices.Collect(strings.Lines(rest)) {
			fmt.Fprint(cmd.OutOrStdout(), row)
			for _, line := range all[i].Details() {
				fmt.Fprintf(cmd.OutOrStdout(), "    %s\n", line)
			}
		}
		return nil
	}
	return cmd
}
