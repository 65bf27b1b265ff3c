package main

import (
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/lease"
)

// assumedRoundTrip is the witness's round trip in the bounds that check prints.
const assumedRoundTrip = 200 * time.Millisecond

func checkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Validates a configuration and prints what it promises",
		Long: `Validates a configuration file, with the files and secrets that it names, and
prints the bounds that follow from it, each with its formula. It asks nobody
over the network.

Exit codes: 0 valid; 2 not valid.`,
		Example: "  failoverd check --config /etc/failoverd/failoverd.yaml\n  failoverd check --config new.yaml --offline",
		Args:    noArgs,
	}
	path := configFlag(cmd)
	output := outputFlag(cmd)
	offline := cmd.Flags().Bool("offline", false, "look at the file alone, not at the secrets, hooks and directories that it names")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		cfg, err := loadConfig(*path)
		if err != nil {
			return err
		}
		if !*offline {
			if err := cfg.CheckFiles(); err != nil {
				return usageError{err}
			}
			if _, err := cfg.LoadSecrets(); err != nil {
				return usageError{err}
			}
		}
		return printCheck(cmd, cfg, *path, *output)
	}
	return cmd
}

// checkedBound is a bound as check prints it.
type checkedBound struct {
	Name    string  `json:"name"`
	Section string  `json:"section"`
	Formula string  `json:"formula"`
	Seconds float64 `json:"seconds"`
	Text    string  `json:"text"`
}

func printCheck(cmd *cobra.Command, cfg *config.Config, path, output string) error {
	params := cfg.Params()
	bounds := params.Bounds(assumedRoundTrip)
	out := cmd.OutOrStdout()
	if output == "json" {
		result := struct {
			Config        string         `json:"config"`
			Group         string         `json:"group"`
			Region        lease.Region   `json:"region"`
			SafetyHash    string         `json:"safety_hash"`
			RoundTrip     float64        `json:"assumed_round_trip_seconds"`
			RequestsPer5m int            `json:"witness_requests_per_5m"`
			Bounds        []checkedBound `json:"bounds"`
			Warnings      []string       `json:"warnings"`
		}{path, cfg.Group, cfg.Region, lease.SafetyHash(params.Safety()), assumedRoundTrip.Seconds(), config.RequestsPer5m(params), nil, cfg.Warnings()}
		for _, b := range bounds {
			result.Bounds = append(result.Bounds, checkedBound{b.Name, b.Section, b.Formula, b.Value.Seconds(), b.Text})
		}
		return printJSON(out, result)
	}
	fmt.Fprintf(out, "%s is valid: region %s of group %s, witness %s\n\n", path, cfg.Region, cfg.Group, cfg.Witness.Type)
	fmt.Fprintf(out, "What it promises, with a witness that answers within %v; longer(d) = d (1+r)/(1-r), r = %v:\n\n", assumedRoundTrip, cfg.Lease.MaxClockDrift)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, b := range bounds {
		fmt.Fprintf(table, "  %s\t%.1f s\t= %s\t%s\n", b.Name, b.Value.Seconds(), b.Formula, b.Section)
	}
	table.Flush()
	fmt.Fprintf(out, "\nThe gaps are counted from the last renewal of a region that dies; one that dies\nbetween a renewal's landing and its answer adds up to renew_interval (%v).\n", params.RenewInterval)
	fmt.Fprintf(out, "All regions together make about %d requests to the witness in 5 minutes.\n", config.RequestsPer5m(params))
	fmt.Fprintf(out, "All regions must print this: safety parameters %s\n", lease.SafetyHash(params.Safety()))
	for _, w := range cfg.Warnings() {
		fmt.Fprintf(out, "\nwarning: %s\n", w)
	}
	return nil
}
