package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/check"
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
prints the bounds that follow from it, each with its formula.

With --live it then asks what runs, and prints a line for each finding: whether
it is ok, a warning or a problem, what was asked, what came back, what to do.

  the witness    does it answer, and let this region read? No record is written.
                 a bucket, etcd, a management cluster: is it as consistent as it
                 has to be? By objects of its own, which are removed if the rights
                 allow that.
  info records   of each region: there, with the same safety parameters?
  flags          of each region
  resolvers      does each answer, over UDP and TCP?
  the regions    through each resolver: does the delegation lead to the region,
                 and does it answer a signed question, with the right key?
  their state, their clocks, and who holds authority
  the layers     can they act, and what do they find of their objects?
  the cluster    are the roles there that failoverd rbac prints?
  the GPUs       can their source be read?
  notifications  can each receiver be reached? (nothing is sent)

It can be run at any time, and where no daemon runs: no region is changed by it.
Without the section quorum no resolver and no other region is asked.

With --measure it then reads the flags from each witness for so long, as an agent
does, finds out how stale they are by what their writers say in them, and proposes
a bound for witness.staleness: half as much again as the stalest read was. A region
has to be active meanwhile. A store that has a self-test is written to as well, at
a key that is removed in the end. Ctrl-C ends it with what has been seen by then.

An agent that is frozen while its region is active can't fence. So check adds up
for each dead-man's switch when that has ended the freeze: other instances, what
systemd says of failoverd.service on this host if that runs this file, and the
kernel's watchdog. Without one that is in time it says no. With --offline this
host is left out.

Exit codes: 0 valid, and no problem; 1 no switch ends a frozen agent in time, or a
finding of --live is a problem; 2 not valid.`,
		Example: "  failoverd check --config /etc/failoverd/failoverd.yaml\n  failoverd check --config new.yaml --offline\n" +
			"  failoverd check --live\n  failoverd check --live -o json | jq -r '.live[] | select(.level == \"problem\") | .asked'\n" +
			"  failoverd check --live --measure 10m",
		Args: noArgs,
	}
	path := configFlag(cmd)
	output := outputFlag(cmd)
	offline := cmd.Flags().Bool("offline", false, "look at the file alone, not at the secrets, hooks and directories that it names")
	live := cmd.Flags().Bool("live", false, "ask what runs, too: the witness, the resolvers, each region")
	measure := cmd.Flags().Duration("measure", 0, "with --live: measure for a `time`, such as 10m, how stale each witness is, and propose a bound")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkMeasure(cmd.Flags().Changed("measure"), *measure, *live); err != nil {
			return usageError{err}
		}
		if *offline && *live {
			return usageError{errors.New("--live asks with what --offline does not look at, the secrets: give one of them")}
		}
		cfg, err := loadConfig(*path)
		if err != nil {
			return err
		}
		if err := checkBuild(cfg); err != nil {
			return usageError{err}
		}
		var secrets *config.Secrets
		if !*offline {
			if err := cfg.CheckFiles(); err != nil {
				return usageError{err}
			}
			if secrets, err = cfg.LoadSecrets(); err != nil {
				return usageError{err}
			}
		}
		frozen, err := judgeFrozen(cmd.Context(), cfg, *path, *offline)
		if err != nil {
			return err
		}
		if *live {
			return checkLive(cmd, cfg, secrets, *path, *output, frozen, *measure)
		}
		if err := printCheck(cmd, cfg, *path, *output, frozen, nil); err != nil {
			return err
		}
		if problems(frozen) > 0 {
			return errors.New("check: no dead-man's switch ends a frozen agent in time; --offline leaves this host out")
		}
		return nil
	}
	return cmd
}

// checkMeasure refuses a measurement that makes no sense.
func checkMeasure(given bool, d time.Duration, live bool) error {
	switch {
	case !given:
		return nil
	case !live:
		return errors.New("--measure asks the witness, as --live does: give --live too")
	case d < time.Minute || d > 24*time.Hour:
		return fmt.Errorf("--measure is %v, want 1m to 24h: a shorter time shows next to nothing", d)
	}
	return nil
}

// problems is how many of the findings are.
func problems(found []check.Finding) (n int) {
	for _, f := range found {
		if f.Level == check.Problem {
			n++
		}
	}
	return n
}

// checkedBound is a bound as check prints it.
type checkedBound struct {
	Name    string  `json:"name"`
	Section string  `json:"section"`
	Formula string  `json:"formula"`
	Seconds float64 `json:"seconds"`
	Text    string  `json:"text"`
}

// printCheck prints what follows from the configuration, for -o json with what was found by asking.
func printCheck(cmd *cobra.Command, cfg *config.Config, path, output string, frozen, found []check.Finding) error {
	params := cfg.Params()
	bounds := params.Bounds(assumedRoundTrip)
	out := cmd.OutOrStdout()
	writes, reads := cfg.Usage()
	costs, _ := cfg.Costs()
	warnings := append([]string{}, cfg.Warnings()...) // none is [], not null
	warnings = append(warnings, costWarnings(cfg)...)
	if output == "json" {
		result := struct {
			Config        string          `json:"config"`
			Group         string          `json:"group"`
			Region        lease.Region    `json:"region"`
			SafetyHash    string          `json:"safety_hash"`
			RoundTrip     float64         `json:"assumed_round_trip_seconds"`
			RequestsPer5m int             `json:"witness_requests_per_5m"`
			Writes        int64           `json:"witness_writes_per_month"`
			Reads         int64           `json:"witness_reads_per_month"`
			Costs         []config.Cost   `json:"witness_costs_per_month"`
			Bounds        []checkedBound  `json:"bounds"`
			Warnings      []string        `json:"warnings"`
			Frozen        []check.Finding `json:"frozen,omitempty"`
			Live          []check.Finding `json:"live,omitempty"`
		}{path, cfg.Group, cfg.Region, lease.SafetyHash(params.Safety()), assumedRoundTrip.Seconds(), config.RequestsPer5m(params), writes, reads, costs, nil, warnings, frozen, found}
		for _, b := range bounds {
			result.Bounds = append(result.Bounds, checkedBound{b.Name, b.Section, b.Formula, b.Value.Seconds(), b.Text})
		}
		return printJSON(out, result)
	}
	fmt.Fprintf(out, "%s is valid: region %s of group %s, %s\n\n", path, cfg.Region, cfg.Group, witnessTypes(cfg))
	fmt.Fprintf(out, "What it promises, with a witness that answers within %v; longer(d) = d (1+r)/(1-r), r = %v:\n\n", assumedRoundTrip, cfg.Lease.MaxClockDrift)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, b := range bounds {
		fmt.Fprintf(table, "  %s\t%.1f s\t= %s\t%s\n", b.Name, b.Value.Seconds(), b.Formula, b.Section)
	}
	table.Flush()
	fmt.Fprintf(out, "\nThe gaps are counted from the last renewal of a region that dies; one that dies\nbetween a renewal's landing and its answer adds up to renew_interval (%v).\n", params.RenewInterval)
	if params.Quorum {
		fmt.Fprintln(out, "The hand-over is counted from the moment at which the layers are inactive.")
	} else {
		fmt.Fprintln(out, "Without the section quorum nothing is handed over, and an outage of the witness\nends authority.")
	}
	if len(frozen) > 0 {
		fmt.Fprintln(out, "\nAn agent that is frozen while its region is active:")
	}
	for _, f := range frozen {
		fmt.Fprintf(out, "  %s\n", f)
	}
	fmt.Fprintf(out, "\nAll regions together make about %d requests to the witness in 5 minutes.\n", config.RequestsPer5m(params))
	printCosts(out, cfg)
	fmt.Fprintf(out, "\nAll regions must print this: safety parameters %s\n", lease.SafetyHash(params.Safety()))
	for _, w := range warnings {
		fmt.Fprintf(out, "\nwarning: %s\n", w)
	}
	return nil
}
