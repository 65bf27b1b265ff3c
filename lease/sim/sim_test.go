package sim

import (
	"flag"
	"runtime"
	"runtime/debug"
	"sync"
	"testing"
	"time"
)

var (
	regionHours = flag.Float64("region-hours", 300, "simulate at least this many region-hours in TestSoak")
	replay      = flag.Int64("replay", -1, "TestSoak traces the world of this `seed` instead")
	firstSeed   = flag.Uint64("first-seed", 0, "TestSoak begins with this seed")
	several     = flag.Bool("several", false, "TestSoak: every world has several witnesses")
	square      = flag.Bool("square", false, "TestSoak: every world has three regions of three instances")
)

// draw is the world of a seed: regions have several instances in every third, and there are several witnesses in every
// sixth.
func draw(seed uint64) Config {
	switch {
	case *square:
		return DrawSquare(seed)
	case *several || seed%6 == 3:
		return DrawSeveral(seed)
	case seed%3 == 2:
		return DrawInstances(seed)
	}
	return Draw(seed)
}

// TestSoak runs the worlds of one seed after the other until it has simulated
// -region-hours. No invariant may ever be violated.
func TestSoak(t *testing.T) {
	if *replay >= 0 {
		cfg := draw(uint64(*replay))
		cfg.Trace = func(line string) { t.Log(line) }
		t.Log(Run(cfg).Violation)
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(1000)) // worlds are small and soon over: a third faster
	start := time.Now()
	var mu sync.Mutex
	var worlds, takes, faults, steps, handOvers int
	var hours float64
	var simulated time.Duration
	next := *firstSeed
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for {
				mu.Lock()
				seed := next
				next++
				enough := hours >= *regionHours || t.Failed()
				mu.Unlock()
				if enough {
					return
				}
				r := Run(draw(seed))
				mu.Lock()
				worlds, takes, faults, steps = worlds+1, takes+r.Takes, faults+r.Faults, steps+r.Steps
				handOvers += r.HandOvers
				hours, simulated = hours+r.RegionHours, simulated+r.Simulated
				if r.Violation != "" {
					t.Errorf("seed %d, at %v: %s; -replay %d shows it", seed, time.Duration(r.At), r.Violation, seed)
				}
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	took := time.Since(start)
	t.Logf("seeds %d to %d: %d worlds, %.0f region-hours, %d faults, %d takeovers, %d hand-overs of degraded regions, %d steps, in %v: %.0f simulated seconds per second",
		*firstSeed, next-1, worlds, hours, faults, takes, handOvers, steps, took.Round(time.Millisecond), simulated.Seconds()/took.Seconds())
}

// TestOperators runs worlds whose regions are of all modes, alone and with instances, and whose operators approve, order
// and pause as it comes into their heads. They can do no harm, nobody takes against their word, and what has no automatic region comes back by their word.
func TestOperators(t *testing.T) {
	takes := 0
	for seed := range uint64(120) {
		cfg := Draw(seed)
		if seed%2 == 1 {
			cfg = DrawInstances(seed)
		}
		if cfg.Faults.Deaths {
			continue
		}
		cfg.Faults.Operators = true
		r := Run(cfg)
		takes += r.Takes
		if r.Violation != "" {
			t.Errorf("seed %d, at %v: %s", seed, time.Duration(r.At), r.Violation)
		}
	}
	t.Logf("%d takeovers", takes)
}

// TestDeterminism runs a world twice, and wants the same trace.
func TestDeterminism(t *testing.T) {
	trace := func() (lines []string) {
		cfg := Draw(3)
		cfg.Trace = func(line string) { lines = append(lines, line) }
		Run(cfg)
		return lines
	}
	a, b := trace(), trace()
	if len(a) != len(b) || len(a) == 0 {
		t.Fatalf("two runs of one seed told %d and %d lines", len(a), len(b))
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("line %d: got %q, then %q", i, a[i], b[i])
		}
	}
}
