package bench

import (
	"flag"
	"fmt"
	"regexp"
	"sync"
	"testing"
)

// nodes are how many each system has.
const nodes = 3

var (
	onlyFlag        = flag.String("only", "^failoverd, file, fast$", "TestBench: a `regexp` of the names of the systems to measure")
	scenariosFlag   = flag.String("scenarios", "^killed$", "TestBench: a `regexp` of the scenarios")
	killsFlag       = flag.Int("kills", 1, "TestBench: how `many` times the holder of each system is killed")
	switchoversFlag = flag.Int("switchovers", 1, "TestBench: how `many` times each system is switched over")
	roundsFlag      = flag.Int("rounds", 1, "TestBench: how `many` rounds there are of each other scenario, but for the outage, which is one")
	groupsFlag      = flag.Int("groups", 1, "TestBench: among how `many` groups of each system the rounds are shared, all at once")
	seedFlag        = flag.Uint64("seed", 1, "TestBench: the `seed` of when in a renewal interval faults come")
	outFlag         = flag.String("out", "", "TestBench: the `folder` that rounds.json is written to, after each round; empty: none")
)

// scenarios are all, and how many rounds there are of each.
func scenarios() (all []Scenario, rounds map[Scenario]int) {
	return []Scenario{Killed, Switchover, Frozen, Partitioned, SlowAnswers, Outage, FastHolder, FastCandidates}, map[Scenario]int{
		Killed: *killsFlag, Switchover: *switchoversFlag, Outage: 1,
		Frozen: *roundsFlag, Partitioned: *roundsFlag, SlowAnswers: *roundsFlag, FastHolder: *roundsFlag, FastCandidates: *roundsFlag,
	}
}

// TestBench measures. It fails only where nothing could be measured: what the figures are, the report says.
func TestBench(t *testing.T) {
	only, err := regexp.Compile(*onlyFlag)
	if err != nil {
		t.Fatal(err)
	}
	kinds, err := regexp.Compile(*scenariosFlag)
	if err != nil {
		t.Fatal(err)
	}
	rec := &record{Rounds: Rounds{Seed: *seedFlag}}
	any := false
	for _, made := range contenders {
		for _, c := range made(t) {
			if !only.MatchString(c.Name) {
				continue
			}
			any = true
			rec.Entries = append(rec.Entries, entry(c))
			t.Run(c.Name, func(t *testing.T) {
				t.Parallel()
				t.Cleanup(func() { rec.judged(t, c.Name) })
				for group := range *groupsFlag {
					t.Run(fmt.Sprintf("group %d", group+1), func(t *testing.T) {
						t.Parallel()
						measure(t, rec, c, group, kinds)
					})
				}
			})
		}
	}
	if !any {
		t.Fatalf("-only %q is the name of no system", *onlyFlag)
	}
}

// measure makes a group's share of the rounds. Those with clocks that are wrong have groups of their own.
func measure(t *testing.T, rec *record, c Contender, group int, kinds *regexp.Regexp) {
	all, rounds := scenarios()
	var d *driver
	for k, s := range all {
		for i := range rounds[s] {
			if c.Without[s] != "" || !kinds.MatchString(string(s)) || (i+k)%*groupsFlag != group {
				continue
			}
			seed := *seedFlag<<32 + uint64(group)<<24 + uint64(k)<<16 + uint64(i)
			one := func(t *testing.T, d *driver) { rec.add(t, d.round(t.Context(), s), i+1, rounds[s]) }
			if wrong := clocks(s, nodes); wrong != nil {
				t.Run(fmt.Sprintf("%s %d", s, i+1), func(t *testing.T) { one(t, newDriver(t, c, nodes, wrong, seed)) })
				continue
			}
			if d == nil {
				d = newDriver(t, c, nodes, nil, seed)
			}
			one(t, d)
		}
	}
}

func entry(c Contender) Entry {
	return Entry{
		Name: c.Name, Version: c.Version, Settings: c.Settings, Promise: c.Promise,
		TTL: c.TTL.Seconds(), Renew: c.Renew.Seconds(), Bound: c.Bound.Seconds(), Formula: c.Formula, Without: c.Without,
	}
}

// A record is what has been measured so far.
type record struct {
	mu sync.Mutex
	Rounds
}

// add takes a round down, and writes the file anew: a run that is cut off has what it had.
func (rec *record) add(t *testing.T, r Round, n, of int) {
	t.Helper()
	if r.Wrong == "" {
		t.Logf("%s, %s, %d of %d: %s, then %s: nobody acted for %.2f s (of %.2f s), two for %.2f s, two healthy for %.2f s; down %.2f s",
			r.System, r.Scenario, n, of, r.From, r.To, r.Gap, r.Bound, r.Acting, r.Healthy, r.Down)
	} else {
		t.Logf("%s, %s, %d of %d: %s", r.System, r.Scenario, n, of, r.Wrong)
	}
	rec.mu.Lock()
	defer rec.mu.Unlock()
	rec.Rounds.Rounds = append(rec.Rounds.Rounds, r)
	rec.Machine = ThisMachine(t)
	save(t, "rounds.json", rec.Rounds)
}

// judged fails the test unless a round of a system was judged.
func (rec *record) judged(t *testing.T, system string) {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	for _, r := range rec.Rounds.Rounds {
		if r.System == system && r.Wrong == "" {
			return
		}
	}
	t.Errorf("no round of %s could be judged", system)
}
