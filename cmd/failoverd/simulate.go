package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/sim"
)

func simulateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "simulate",
		Short: "Runs a configuration's own parameters through simulated faults",
		Long: `Runs the real lease machine of every member with the parameters of a
configuration, in virtual time, through crashes, freezes, cuts, outages, lost and
late writes and stale reads, and checks at every instant that no two regions hold
authority. Half of the seeds are chaos; the other half lets one holder after the
other die, and measures the gaps.

Exit codes: 0 no violation; 1 a violation, with the seed that replays it; 2 usage.`,
		Example: "  failoverd simulate --config /etc/failoverd/failoverd.yaml --seeds 1000\n  failoverd simulate --config failoverd.yaml --replay 42",
		Args:    noArgs,
	}
	path, output := configFlag(cmd), outputFlag(cmd)
	seeds := cmd.Flags().Uint64("seeds", 200, "`number` of worlds")
	replay := cmd.Flags().Int64("replay", -1, "trace the world of one `seed` instead")
	hours := cmd.Flags().Duration("duration", 4*time.Hour, "simulated `time` of each world")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *replay >= 0 && *output == "json" {
			return usageError{errors.New("--replay prints a trace, which is text: leave -o json out")}
		}
		cfg, err := loadConfig(*path)
		if err != nil {
			return err
		}
		params := cfg.Params()
		if least := sim.Recovery(params) + 10*params.TTL; *hours < least {
			return usageError{fmt.Errorf("--duration %v is too short for these parameters, want at least %v", *hours, least.Round(time.Second))}
		}
		world := func(seed uint64) sim.Config {
			return sim.Config{Seed: seed, Duration: *hours, Params: params, Faults: sim.Faults{Chaos: seed%2 == 0, Deaths: seed%2 == 1}}
		}
		if *replay >= 0 {
			c := world(uint64(*replay))
			c.Trace = func(line string) { fmt.Fprintln(cmd.OutOrStdout(), line) }
			return verdict(uint64(*replay), sim.Run(c))
		}
		return simulate(cmd, params, world, *seeds, *output)
	}
	return cmd
}

// verdict is the error of a world that went wrong.
func verdict(seed uint64, r sim.Result) error {
	if r.Violation == "" {
		return nil
	}
	return fmt.Errorf("seed %d, at %v: %s; replay it with --replay %d", seed, time.Duration(r.At), r.Violation, seed)
}

// simulated is what simulate prints.
type simulated struct {
	Worlds        uint64   `json:"worlds"`
	RegionHours   float64  `json:"region_hours"`
	Faults        int      `json:"faults"`
	Takeovers     int      `json:"takeovers"`
	Violations    []string `json:"violations"`
	Gaps          int      `json:"gaps"`
	GapP50        float64  `json:"gap_p50_seconds"`
	GapP90        float64  `json:"gap_p90_seconds"`
	GapMax        float64  `json:"gap_max_seconds"`
	GapBound      float64  `json:"gap_bound_seconds"`
	Speed         float64  `json:"simulated_seconds_per_second"`
	TookSeconds   float64  `json:"took_seconds"`
	SafetyHash    string   `json:"safety_hash"`
	gaps          []time.Duration
	simulatedTime time.Duration
}

func simulate(cmd *cobra.Command, params lease.Params, world func(uint64) sim.Config, seeds uint64, output string) error {
	start := time.Now()
	total := simulated{Violations: []string{}, SafetyHash: lease.SafetyHash(params.Safety())}
	var mu sync.Mutex
	var next uint64
	var workers sync.WaitGroup
	progress := time.Now()
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				mu.Lock()
				seed := next
				next++
				mu.Unlock()
				if seed >= seeds || cmd.Context().Err() != nil {
					return
				}
				r := sim.Run(world(seed))
				mu.Lock()
				total.add(seed, r)
				if time.Since(progress) > 2*time.Second && output == "text" {
					progress = time.Now()
					fmt.Fprintf(cmd.ErrOrStderr(), "%d of %d worlds, %.0f region-hours, %d violations\n", total.Worlds, seeds, total.RegionHours, len(total.Violations))
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	total.finish(time.Since(start))
	if output == "json" {
		if err := printJSON(cmd.OutOrStdout(), total); err != nil {
			return err
		}
	} else {
		total.print(cmd)
	}
	if len(total.Violations) > 0 {
		return fmt.Errorf("%d of %d worlds went wrong", len(total.Violations), total.Worlds)
	}
	if cmd.Context().Err() != nil {
		return fmt.Errorf("stopped after %d of %d worlds: %w", total.Worlds, seeds, context.Cause(cmd.Context()))
	}
	return nil
}

func (t *simulated) add(seed uint64, r sim.Result) {
	t.Worlds++
	t.RegionHours += r.RegionHours
	t.Faults += r.Faults
	t.Takeovers += r.Takes
	t.gaps = append(t.gaps, r.Gaps...)
	t.GapBound = r.Bound.Seconds()
	t.simulatedTime += r.Simulated
	if err := verdict(seed, r); err != nil {
		t.Violations = append(t.Violations, err.Error())
	}
}

func (t *simulated) finish(took time.Duration) {
	t.TookSeconds = took.Seconds()
	t.Speed = t.simulatedTime.Seconds() / took.Seconds()
	slices.Sort(t.gaps)
	if t.Gaps = len(t.gaps); t.Gaps > 0 {
		t.GapP50 = t.gaps[t.Gaps/2].Seconds()
		t.GapP90 = t.gaps[t.Gaps*9/10].Seconds()
		t.GapMax = t.gaps[t.Gaps-1].Seconds()
	}
}

func (t *simulated) print(cmd *cobra.Command) {
	out := cmd.OutOrStdout()
	for _, v := range t.Violations {
		fmt.Fprintln(out, v)
	}
	fmt.Fprintf(out, "%d worlds, %.0f region-hours, %d faults, %d takeovers: %d violations\n", t.Worlds, t.RegionHours, t.Faults, t.Takeovers, len(t.Violations))
	if t.Gaps > 0 {
		fmt.Fprintf(out, "%d deaths of the holder: gap p50 %.1f s, p90 %.1f s, max %.1f s, bound %.1f s\n", t.Gaps, t.GapP50, t.GapP90, t.GapMax, t.GapBound)
	}
	fmt.Fprintf(out, "took %.1f s, %.0f simulated seconds per second\n", t.TookSeconds, t.Speed)
}
