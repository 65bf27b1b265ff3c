package bench

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/etcd"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/sim"
)

var (
	sizesFlag      = flag.String("sizes", "2", "TestScale: of how `many` regions each group is that runs, 2,4,8,16")
	scaleKillsFlag = flag.Int("scale-kills", 1, "TestScale: how `many` times the holder of each group dies")
	simulatedFlag  = flag.String("simulated", "2,4", "TestScale: of how `many` regions each group is that is simulated, 2,4,8,16,32,64")
	worldsFlag     = flag.Int("worlds", 2, "TestScale: in how `many` worlds each of those is simulated")
)

// TestScale measures groups of more and more regions.
func TestScale(t *testing.T) {
	s := Scale{Idle: idleFlag.Seconds()}
	programs := daemon.Build(t, false, releaseFlags...)
	for _, n := range numbers(t, *sizesFlag) {
		t.Run(fmt.Sprintf("%d regions", n), func(t *testing.T) {
			row := runOf(t, programs, n)
			t.Logf("%d regions: %+v", n, row)
			s.Ran = append(s.Ran, row)
		})
	}
	for _, n := range numbers(t, *simulatedFlag) {
		row := simulate(t, n)
		t.Logf("%d regions, simulated: %.0f requests an hour, %d gaps, the longest %.2f s of %.2f s", n, row.Requests, len(row.Gaps), slices.Max(row.Gaps), row.Bound)
		s.Simulated = append(s.Simulated, row)
	}
	s.Machine = ThisMachine(t)
	save(t, "scale.json", s)
}

func numbers(t *testing.T, list string) (all []int) {
	for one := range strings.FieldsFuncSeq(list, func(c rune) bool { return c == ',' }) {
		n, err := strconv.Atoi(one)
		if err != nil {
			t.Fatalf("%q is no list of numbers: %v", list, err)
		}
		all = append(all, n)
	}
	return all
}

// scaleTimes are the default times of n regions.
func scaleTimes(n int) lease.Params {
	var members []lease.Region
	for i := range n {
		members = append(members, lease.Region(fmt.Sprintf("r%02d", i+1)))
	}
	return daemon.DefaultTimes(members...)
}

// runOf runs n daemons.
func runOf(t *testing.T, programs daemon.Binaries, n int) ScaleRow {
	p := scaleTimes(n)
	cluster := etcd.Start(t, 3)
	group := daemon.NewGroupOn(t, programs, p, nil, func(r *daemon.Region) string {
		endpoints, _ := json.Marshal(cluster.Endpoints(slices.Index(p.Members, r.Name) % 3)) // strings always can be
		return fmt.Sprintf("{type: etcd, staleness: 0s, etcd: {endpoints: %s}}", endpoints)
	})
	for _, r := range group.Regions {
		r.Start(t)
	}
	holder := daemon.Holder(t, group.Regions...)
	row := ScaleRow{Regions: n, Bound: p.LongestGapFresh(0).Seconds()}

	asked, _ := storeRequests(t)
	used := func() (sum time.Duration) {
		for _, r := range group.Regions {
			sum += r.Process().CPU(t)
			row.RSS = max(row.RSS, r.Process().RSS(t))
		}
		return sum
	}
	before, begun := used(), time.Now()
	<-time.After(*idleFlag) // nothing is awaited: this is what is measured
	took := time.Since(begun)
	later, _ := storeRequests(t)
	row.Requests = (later - asked) / took.Hours()
	row.CPU = (used() - before).Seconds() / took.Seconds() / float64(n)

	for range *scaleKillsFlag {
		if err := holder.Process().Kill(); err != nil {
			t.Fatal(err)
		}
		died := bootclock.Clock{}.Now()
		others := slices.DeleteFunc(slices.Clone(group.Regions), func(r *daemon.Region) bool { return r == holder })
		next := daemon.Holder(t, others...)
		row.Gaps = append(row.Gaps, activated(t, next, died).Sub(died).Seconds())
		holder.Start(t)
		holder.Await(t, "stands by", func(s daemon.Status) bool { return s.State == lease.Standby })
		holder = next
	}
	return row
}

// activated is when the hook of a region first began to activate after an instant.
func activated(t *testing.T, r *daemon.Region, after lease.Instant) lease.Instant {
	runs, err := r.HookRuns()
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range runs {
		if run.At > after && run.Action == "activate" && run.Phase == "begin" {
			return run.At
		}
	}
	t.Fatalf("the layer of %s was not activated: %+v", r.Name, runs)
	return 0
}

// simulate runs worlds of n regions: calm ones for the requests, and ones in which a holder dies again and again for the gaps.
func simulate(t *testing.T, n int) ScaleRow {
	p := scaleTimes(n)
	p.Group = "scale"
	row := ScaleRow{Regions: n, Bound: p.LongestGapFresh(0).Seconds()}
	calm := sim.Run(sim.Config{Seed: 1, Duration: time.Hour, Params: p})
	row.Requests = float64(calm.Requests) / calm.Simulated.Hours()
	for seed := range uint64(*worldsFlag) {
		// Long enough for some deaths, at any size.
		r := sim.Run(sim.Config{Seed: seed, Duration: sim.Recovery(p) + 10*p.TTL, Params: p, Faults: sim.Faults{Deaths: true}})
		if r.Violation != "" {
			t.Errorf("%d regions, seed %d: %s", n, seed, r.Violation)
		}
		row.Bound = r.Bound.Seconds() // with answers as slow as they are there
		for _, gap := range r.Gaps {
			row.Gaps = append(row.Gaps, gap.Seconds())
		}
	}
	if calm.Violation != "" || len(row.Gaps) == 0 {
		t.Fatalf("%d regions: %d gaps, %s", n, len(row.Gaps), calm.Violation)
	}
	return row
}
