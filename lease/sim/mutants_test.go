package sim

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

var (
	find     = flag.Uint64("find", 0, "look for the first seed below this that finds each mutant, instead of testing the table")
	findOnly = flag.String("rule", "", "with -find, the `code` of the only rule to look at")
	findFrom = flag.Int("world", 0, "with -find, the number of the first kind of world to look in")
)

// mutants names, for every rule that the simulator can show to be needed, a
// world in which leaving it out leads to a violation of the given kind, and
// obeying it does not.
var mutants = []struct {
	rule  lease.Rule
	world Break
	seed  uint64
	kind  string
}{
	{lease.RuleCountFromSending, Unbroken, 443, "overlap:"},
	{lease.RuleNoRevival, Unbroken, 6, "overlap:"},
	{lease.RuleFenceInTime, Unbroken, 0, "layers:"},
	{lease.RuleNewWriteID, Unbroken, 0, "overlap:"},
	{lease.RuleEveryNewRecord, Unbroken, 60, "overlap:"},
	{lease.RuleMalformedIsEvidence, Unbroken, 25, "overlap:"},
	{lease.RuleStartEvidence, Unbroken, 656, "overlap:"},
	{lease.RuleRank, Unbroken, 10, "gap"},
	{lease.RuleCandidateTurn, Unbroken, 841, "liveness:"},
	{lease.RuleYield, Unbroken, 23, "liveness:"},
	{lease.RuleSilentWithdrawal, Unbroken, 24, "overlap:"},
	{lease.RuleFlagExpires, Unbroken, 10166, "overlap:"},
	{lease.RuleBlindFallsBack, Unbroken, 23, "liveness:"},
	{lease.RuleSettle, Unbroken, 1, "overlap:"},
	{lease.RuleStalenessWait, Unbroken, 2938, "overlap:"},
	{lease.RuleDrift, Unbroken, 6, "overlap:"},
	{lease.RuleMissingIsNotFree, Unbroken, 5, "overlap:"},
	{lease.RuleReadFromSending, StaleBeyond, 55, "overlap:"},
	{lease.RuleReadWhenDue, Unbroken, 28, "gap"},
	{lease.RuleCompleteRound, Unbroken, 17, "liveness:"},
	{lease.RuleReadBack, StaleBeyond, 4, "overlap:"},
	{lease.RulePeersKnown, TwoSpaces, 0, "overlap:"},
	{lease.RuleSameSafety, TwoTTLs, 19, "overlap:"},
	{lease.RuleBootID, Unbroken, 112, "liveness:"},
	{lease.RuleSavedDeadline, Unbroken, 0, "epoch:"},
	{lease.RuleLayersFencedFirst, Unbroken, 3, "layers:"},
	{lease.RuleGrantIsEvidence, Unbroken, 4, "overlap:"},
	{lease.RuleGrantEpoch, Unbroken, 61, "epoch:"},
	{lease.RuleEveryPledge, Unbroken, 5, "layers:"},
	{lease.RulePledgeFromSending, Unbroken, 5093, "overlap:"},
	{lease.RuleAnswerToQuestion, Unbroken, 339, "overlap:"},
	{lease.RuleAskWithHope, Unbroken, 21, "gap"},
	{lease.RuleActiveAnswer, Unbroken, 10944, "epoch:"},
}

// unpunished are the rules that the table does not have, with what shows them
// instead, or why they are kept: see docs/protocol.md.
var unpunished = map[lease.Rule]string{
	lease.RuleEpochAbove:        "the stories overtaken and yield: candidates of one epoch are told apart by yield and settle as well, pledges by grant-epoch",
	lease.RuleHigherEpochFences: "TestHigherEpochFences: it prevents no overlap, it ends one",
	lease.RuleGrantVoids:        "the story grant_voids: granting raises the highest epoch seen, so that grant-epoch and epoch-above end the own question too",
	lease.RuleGrantOrder:        "the story grant_voids: turns already keep askers apart; for those that ask in the same moment",
	lease.RulePledgeSameSafety:  "the story grant: same-safety already keeps such a region from flags; for one whose new info record nobody has seen",
	lease.RuleFencedUntilSeen:   "the story dead_holder_dead_witness: the word also ends with the first acknowledged renewal",
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
	page, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range lease.Rules {
		if !strings.Contains(string(page), "| `"+r.Code+"` | "+r.Section+" | "+r.Text+" |") {
			t.Errorf("docs/protocol.md does not have rule %s, %s, with its text", r.Code, r.Section)
		}
		if why := unpunished[r.Rule]; found[r.Rule] == (why != "") {
			t.Errorf("rule %s must be either in the table of mutants or among the unpunished, with a reason", r.Code)
		}
	}
}

// TestHigherEpochFences goes on after overlaps, in worlds whose witness is staler
// than its bound: regions that learn of one another end them sooner.
func TestHigherEpochFences(t *testing.T) {
	var with, without time.Duration
	for seed := range uint64(30) {
		cfg := DrawBroken(seed, StaleBeyond)
		cfg.Faults.KeepOn = true
		cfg.Without = []lease.Rule{lease.RuleReadBack}
		with += Run(cfg).Overlap
		cfg.Without = append(cfg.Without, lease.RuleHigherEpochFences)
		without += Run(cfg).Overlap
	}
	t.Logf("two regions were active for %v in all, without the rule for %v", with, without)
	if with == 0 || with*4 > without*3 {
		t.Errorf("two regions were active for %v, without the rule for %v: want some, and a quarter less at least", with, without)
	}
}

// TestLeakedKey is why two of three resolvers must agree, though answers are signed:
// where one of them has got hold of the regions' keys, one answer is not enough.
func TestLeakedKey(t *testing.T) {
	overlaps := 0
	for seed := range uint64(60) {
		cfg := DrawBroken(seed, LeakedKey)
		if v := Run(cfg).Violation; v != "" {
			t.Errorf("seed %d: with two of three: %s", seed, v)
		}
		cfg.Faults.OneResolver = true
		if strings.HasPrefix(Run(cfg).Violation, "overlap:") {
			overlaps++
		}
	}
	t.Logf("with one of three: overlaps in %d of 60 worlds, with two in none", overlaps)
	if overlaps == 0 {
		t.Error("one resolver with a leaked key does no harm: the world is not nasty enough")
	}
}

// findMutants prints the table anew.
func findMutants(t *testing.T) {
	for _, r := range lease.Rules {
		if (*findOnly == "" || *findOnly == r.Code) && !findMutant(t, r) {
			t.Logf("NOT FOUND %s", r.Code)
		}
	}
}

func findMutant(t *testing.T, r lease.RuleText) bool {
	for _, world := range []Break{Unbroken, TwoSpaces, TwoTTLs, StaleBeyond, LeakedKey}[*findFrom:] {
		seeds := *find
		if world != Unbroken {
			seeds /= 10 // it shows itself soon, or never
		}
		for seed := range seeds {
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
