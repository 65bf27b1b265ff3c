package sim

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

var hunt = flag.Uint64("hunt", 0, "look for the first seed below this that finds each mutant")

var rules = flag.String("rules", "", "of these rules only, by code")

func TestHunt(t *testing.T) {
	if *hunt == 0 {
		t.Skip()
	}
	for _, r := range lease.Rules {
		if *rules != "" && !strings.Contains(*rules, r.Code) {
			continue
		}
		start := time.Now()
		found := false
	search:
		for _, b := range []Break{Unbroken, TwoSpaces, TwoTTLs, StaleBeyond} {
			limit := *hunt
			if b != Unbroken {
				limit = 300
			}
			for seed := range limit {
				cfg := DrawBroken(seed, b)
				if b != Unbroken && Run(cfg).Violation != "" {
					continue
				}
				cfg.Without = []lease.Rule{r.Rule}
				if res := Run(cfg); res.Violation != "" {
					t.Logf("%-24s %q seed %d  %s (%v)", r.Code, b, seed, res.Violation, time.Since(start).Round(time.Millisecond))
					found = true
					break search
				}
			}
		}
		if !found {
			t.Logf("%-24s NOT FOUND (%v)", r.Code, time.Since(start).Round(time.Millisecond))
		}
	}
}

func TestBase(t *testing.T) {
	start := time.Now()
	var sim time.Duration
	var hours float64
	for seed := range uint64(1000) {
		res := Run(Draw(seed))
		sim += res.Simulated
		hours += res.RegionHours
		if res.Violation != "" {
			t.Errorf("%d %s", seed, res.Violation)
		}
	}
	t.Logf("%.0f sim s/s, %.0f region hours %v", sim.Seconds()/time.Since(start).Seconds(), hours, time.Since(start))
}
