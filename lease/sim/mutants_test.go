package sim

import (
	"flag"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/lease"
)

var find = flag.Uint64("find", 0, "look for the first seed below this that finds each mutant, instead of testing the table")

// mutants names, for every rule that the simulator can show to be needed, a
// world in which leaving it out leads to a violation of the given kind, and
// obeying it does not.
var mutants = []struct {
	rule  lease.Rule
	world Break
	seed  uint64
	kind  string
}{
	{lease.RuleCountFromSending, Unbroken, 44, "overlap:"},
	{lease.RuleNoRevival, Unbroken, 5, "overlap:"},
	{lease.RuleFenceInTime, Unbroken, 0, "layers:"},
	{lease.RuleNewWriteID, Unbroken, 0, "overlap:"},
	{lease.RuleEveryNewRecord, Unbroken, 18, "overlap:"},
	{lease.RuleMalformedIsEvidence, Unbroken, 4, "overlap:"},
	{lease.RuleRank, Unbroken, 7, "gap"},
	{lease.RuleCandidateTurn, Unbroken, 1, "liveness:"},
	{lease.RuleYield, Unbroken, 98, "liveness:"},
	{lease.RuleSilentWithdrawal, Unbroken, 11, "overlap:"},
	{lease.RuleBlindFallsBack, Unbroken, 70, "liveness:"},
	{lease.RuleSettle, Unbroken, 33, "overlap:"},
	{lease.RuleStalenessWait, Unbroken, 247, "overlap:"},
	{lease.RuleDrift, Unbroken, 9, "overlap:"},
	{lease.RuleMissingIsNotFree, Unbroken, 50, "overlap:"},
	{lease.RuleReadFromSending, Unbroken, 493, "overlap:"},
	{lease.RuleReadWhenDue, Unbroken, 9, "gap"},
	{lease.RuleCompleteRound, Unbroken, 31, "overlap:"},
	{lease.RuleReadBack, StaleBeyond, 2, "overlap:"},
	{lease.RulePeersKnown, TwoSpaces, 0, "overlap:"},
	{lease.RuleSameSafety, TwoTTLs, 12, "overlap:"},
	{lease.RuleBootID, Unbroken, 423, "overlap:"},
	{lease.RuleSavedDeadline, Unbroken, 0, "overlap:"},
}

// unpunished are the rules whose absence no seed has punished so far; why, and
// whether they are needed all the same, is in docs/protocol.md.
var unpunished = map[lease.Rule]string{
	lease.RuleStartEvidence:     "not needed without pledges: a fresh agent has seen nothing, so the first record that it reads is new; kept for §4",
	lease.RuleLayersFencedFirst: "not needed without pledges: a flag alone makes nothing active; kept for §4",
	lease.RuleHigherEpochFences: "not needed while the assumptions hold: it ends an overlap that should not be; no script shows it yet",
	lease.RuleFlagExpires:       "not exercised yet: it needs a candidate whose writes fail for TTL + Δ and work again in another's settling wait",
	lease.RuleEpochAbove:        "not exercised yet: it needs a region that takes and dies before its flag says active",
}

func TestMutants(t *testing.T) {
	if *find > 0 {
		findMutants(t)
		return
	}
	found := map[lease.Rule]bool{}
	for _, m := range mutants {
		found[m.rule] = true
		text := lease.Rules[m.rule]
		t.Run(text.Code, func(t *testing.T) {
			cfg := DrawBroken(m.seed, m.world)
			if got := Run(cfg).Violation; got != "" {
				t.Errorf("seed %d: with all rules: got %q, want no violation", m.seed, got)
			}
			cfg.Without = []lease.Rule{m.rule}
			if got := Run(cfg).Violation; !strings.HasPrefix(got, m.kind) {
				t.Errorf("seed %d: without %s (%s): got %q, want a violation of kind %q", m.seed, text.Code, text.Section, got, m.kind)
			}
		})
	}
	for _, r := range lease.Rules {
		if why := unpunished[r.Rule]; found[r.Rule] == (why != "") {
			t.Errorf("rule %s must be either in the table of mutants or among the unpunished, with a reason", r.Code)
		}
	}
}

// findMutants prints the table anew.
func findMutants(t *testing.T) {
	for _, r := range lease.Rules {
		if !findMutant(t, r) {
			t.Logf("NOT FOUND %s", r.Code)
		}
	}
}

func findMutant(t *testing.T, r lease.RuleText) bool {
	for _, world := range []Break{Unbroken, TwoSpaces, TwoTTLs, StaleBeyond} {
		for seed := range *find {
			cfg := DrawBroken(seed, world)
			cfg.Without = []lease.Rule{r.Rule}
			v := Run(cfg).Violation
			if v == "" || world != Unbroken && !strings.HasPrefix(v, "overlap:") {
				continue // in a broken world authority may fail to come back anyhow
			}
			cfg.Without = nil
			if Run(cfg).Violation == "" {
				kind, _, _ := strings.Cut(v, " ")
				t.Logf("FOUND %d %q %d %q %s", r.Rule, world, seed, kind, r.Code)
				return true
			}
		}
	}
	return false
}
