package sim

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

var (
	find     = flag.Uint64("find", 0, "look for the first seed below this that finds each mutant, instead of testing the table")
	findOnly = flag.String("rule", "", "with -find, the `codes` of the rules to leave out, with + between them, instead of each rule alone")
	findKind = flag.String("kind", "", "with -find, the beginning of the `violation` to look for")
	findFrom = flag.Int("world", 0, "with -find, the number of the first kind of world to look in")
)

// mutants names, for every rule, a world in which leaving it out leads to a violation
// of the given kind, and obeying it does not. Where two rules stand behind one another
// it takes both to be left out, and neither alone does harm in that world.
var mutants = []struct {
	without []lease.Rule
	world   Break
	seed    uint64
	kind    string
}{
	{[]lease.Rule{lease.RuleCountFromSending}, Unbroken, 715, "overlap:"},
	{[]lease.Rule{lease.RuleNoRevival}, Unbroken, 9, "overlap:"},
	{[]lease.Rule{lease.RuleFenceInTime}, Unbroken, 0, "layers:"},
	{[]lease.Rule{lease.RuleNewWriteID}, Unbroken, 0, "overlap:"},
	{[]lease.Rule{lease.RuleEveryNewRecord}, Unbroken, 60, "overlap:"},
	{[]lease.Rule{lease.RuleMalformedIsEvidence}, Unbroken, 11, "overlap:"},
	{[]lease.Rule{lease.RuleStartEvidence}, Unbroken, 786, "overlap:"},
	{[]lease.Rule{lease.RuleRank}, Unbroken, 10, "gap"},
	{[]lease.Rule{lease.RuleCandidateTurn}, Instances, 66, "liveness:"},
	{[]lease.Rule{lease.RuleYield}, Unbroken, 23, "liveness:"},
	{[]lease.Rule{lease.RuleSilentWithdrawal}, Unbroken, 24, "overlap:"},
	{[]lease.Rule{lease.RuleFlagExpires}, Unbroken, 10166, "overlap:"},
	{[]lease.Rule{lease.RuleBlindFallsBack}, Unbroken, 23, "liveness:"},
	{[]lease.Rule{lease.RuleSettle}, Unbroken, 1, "overlap:"},
	{[]lease.Rule{lease.RuleStalenessWait}, Unbroken, 2938, "overlap:"},
	{[]lease.Rule{lease.RuleDrift}, Unbroken, 9, "overlap:"},
	{[]lease.Rule{lease.RuleMissingIsNotFree}, Unbroken, 44, "overlap:"},
	{[]lease.Rule{lease.RuleReadFromSending}, StaleBeyond, 12, "overlap:"},
	{[]lease.Rule{lease.RuleReadWhenDue}, Unbroken, 47, "gap"},
	{[]lease.Rule{lease.RuleCompleteRound}, Unbroken, 17, "liveness:"},
	{[]lease.Rule{lease.RuleReadBack}, StaleBeyond, 5, "overlap:"},
	{[]lease.Rule{lease.RulePeersKnown}, TwoSpaces, 0, "overlap:"},
	{[]lease.Rule{lease.RuleSameSafety}, TwoTTLs, 52, "overlap:"},
	{[]lease.Rule{lease.RuleBootID}, Unbroken, 112, "liveness:"},
	{[]lease.Rule{lease.RuleSavedDeadline}, Unbroken, 0, "epoch:"},
	{[]lease.Rule{lease.RuleLayersFencedFirst}, Unbroken, 3, "layers:"},
	{[]lease.Rule{lease.RuleGrantIsEvidence}, Unbroken, 14, "overlap:"},
	{[]lease.Rule{lease.RuleGrantEpoch}, Unbroken, 510, "epoch:"},
	{[]lease.Rule{lease.RuleEveryPledge}, Unbroken, 12, "layers:"},
	{[]lease.Rule{lease.RulePledgeFromSending}, Unbroken, 1299, "overlap:"},
	{[]lease.Rule{lease.RuleAnswerToQuestion}, Unbroken, 569, "overlap:"},
	{[]lease.Rule{lease.RuleAskWithHope}, Unbroken, 21, "gap"},
	{[]lease.Rule{lease.RuleActiveAnswer}, StaleOthers, 3, "overlap:"},
	{[]lease.Rule{lease.RulePledgeSameSafety}, TwoTTLs, 209, "overlap:"},
	{[]lease.Rule{lease.RuleFencedUntilSeen}, Unbroken, 485, "overlap:"},
	{[]lease.Rule{lease.RuleHandOverLimit}, Unbroken, 12, "hand-overs:"},
	{[]lease.Rule{lease.RuleTermConfirmed}, Instances, 475, "overlap:"},
	{[]lease.Rule{lease.RuleHeirProves}, Instances, 6, "overlap:"},
	{[]lease.Rule{lease.RuleAloneToGrant}, Instances, 3, "overlap:"},
	{[]lease.Rule{lease.RulePledgeOnRecord}, Instances, 332, "epoch:"},
	{[]lease.Rule{lease.RuleStopFences}, Square, 500028, "stop:"},
	{[]lease.Rule{lease.RuleMajority}, Several, 17, "overlap:"},
	{[]lease.Rule{lease.RuleNewWriteID}, Several, 1, "overlap:"},
	{[]lease.Rule{lease.RuleSameWitnesses}, OneSplit, 91, "overlap:"},
	{[]lease.Rule{lease.RuleOutvotedFallsBack}, Several, 62, "liveness:"},
	{[]lease.Rule{lease.RuleGrantVoids, lease.RuleGrantEpoch}, Unbroken, 4, "overlap:"},
	{[]lease.Rule{lease.RuleGrantOrder, lease.RuleAskWithHope}, Unbroken, 472, "liveness:"},
	{[]lease.Rule{lease.RuleEpochAbove, lease.RuleYield}, Unbroken, 149, "liveness:"},
	{[]lease.Rule{lease.RuleRecordCleared, lease.RulePledgeOnRecord}, CutGivers, 7, "overlap:"},
}

// codes are those of rules.
func codes(rules []lease.Rule) (out []string) {
	for _, r := range rules {
		out = append(out, lease.Rules[r].Code)
	}
	return out
}

// fewer are the sets of rules that one less than without has, the empty one always
// among them.
func fewer(without []lease.Rule) [][]lease.Rule {
	sets := [][]lease.Rule{nil}
	if len(without) > 1 {
		for i := range without {
			sets = append(sets, slices.Delete(slices.Clone(without), i, i+1))
		}
	}
	return sets
}

func TestMutants(t *testing.T) {
	if *find > 0 {
		findMutants(t)
		return
	}
	found := map[lease.Rule]bool{
		lease.RuleHigherEpochFences: true, // a test of its own: it prevents no overlap, it ends one
		// Three changes of the instance within a TTL are too rare here: they are scripts, saved_term and pledge_of_term.
		lease.RuleSavedTerm: true, lease.RulePledgeOfTerm: true,
		// A crash while the file has another TTL already, and the info record that says so is lost: the script restart.
		lease.RuleSavedSafety: true,
		// A late write on top of another instance's, once in thousands of worlds: the script own_late_write.
		lease.RuleOwnRecord: true,
	}
	for _, m := range mutants {
		for _, r := range m.without {
			found[r] = true
		}
		t.Run(strings.Join(codes(m.without), "+"), func(t *testing.T) {
			cfg := DrawBroken(m.seed, m.world)
			for _, less := range fewer(m.without) {
				cfg.Without = less
				if got := Run(cfg).Violation; got != "" {
					t.Errorf("seed %d: without %v: got %q, want no violation", m.seed, codes(less), got)
				}
			}
			cfg.Without = m.without
			if got := Run(cfg).Violation; !strings.HasPrefix(got, m.kind) {
				t.Errorf("seed %d: without %v: got %q, want a violation of kind %q", m.seed, codes(m.without), got, m.kind)
			}
		})
	}
	page, err := os.ReadFile("../../docs/protocol.md")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("for each of its %d rules", len(lease.Rules)); !strings.Contains(string(readme), want) {
		t.Errorf("README.md does not say %q", want)
	}
	for _, r := range lease.Rules {
		if !strings.Contains(string(page), "| `"+r.Code+"` | "+r.Section+" | "+r.Text+" |") {
			t.Errorf("docs/protocol.md does not have rule %s, %s, with its text", r.Code, r.Section)
		}
		if !found[r.Rule] {
			t.Errorf("no mutant leaves out rule %s", r.Code)
		}
	}
}

// TestHigherEpochFences goes on after overlaps, in worlds whose witness is staler
// than its bound: regions that learn of one another end them sooner.
func TestHigherEpochFences(t *testing.T) {
	var with, without time.Duration
	for seed := range uint64(120) {
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

// TestVeto is what asking the others before taking is for: a witness that is stale far
// beyond its bound and does not give itself away by the own flag. Nothing else is wrong.
func TestVeto(t *testing.T) {
	overlaps := 0
	for seed := range uint64(100) {
		cfg := DrawBroken(seed, StaleOthers)
		cfg.Params.Quorum, cfg.Faults.Chaos, cfg.Faults.Deaths = true, false, false
		if v := Run(cfg).Violation; v != "" {
			t.Errorf("seed %d: with the veto: %s", seed, v)
		}
		cfg.Without = []lease.Rule{lease.RuleActiveAnswer}
		if strings.HasPrefix(Run(cfg).Violation, "overlap:") {
			overlaps++
		}
	}
	t.Logf("without the veto: overlaps in %d of 100 worlds, with it in none", overlaps)
	if overlaps == 0 {
		t.Error("the stale witness does no harm: the world is not nasty enough")
	}
}

// findMutants prints the table anew, or one line of it.
func findMutants(t *testing.T) {
	for _, r := range lease.Rules {
		if *findOnly == "" {
			findMutant(t, []lease.Rule{r.Rule})
		}
	}
	if *findOnly != "" {
		var without []lease.Rule
		for _, code := range strings.Split(*findOnly, "+") {
			i := slices.IndexFunc(lease.Rules[:], func(r lease.RuleText) bool { return r.Code == code })
			if i < 0 {
				t.Fatalf("-rule: there is no rule %q", code)
			}
			without = append(without, lease.Rules[i].Rule)
		}
		findMutant(t, without)
	}
}

// breaks reports whether it breaks an assumption.
func (b Break) breaks() bool {
	return b != Unbroken && b != Instances && b != Square && b != Several && b != CutGivers
}

// findMutant looks for a world in which leaving rules out does harm, and leaving out
// fewer of them does not.
func findMutant(t *testing.T, without []lease.Rule) {
	for _, world := range []Break{Unbroken, TwoSpaces, TwoTTLs, StaleBeyond, StaleOthers, LeakedKey, Instances, Square, CutGivers, Several, OneSplit}[*findFrom:] {
		seeds := *find
		if world.breaks() {
			seeds /= 10 // it shows itself soon, or never
		}
		for seed := range seeds {
			cfg := DrawBroken(seed, world)
			cfg.Without = without
			v := Run(cfg).Violation
			if v == "" || !strings.HasPrefix(v, *findKind) || world.breaks() && !strings.HasPrefix(v, "overlap:") {
				continue // in a broken world authority may fail to come back anyhow
			}
			if slices.ContainsFunc(fewer(without), func(less []lease.Rule) bool {
				cfg.Without = less
				return Run(cfg).Violation != ""
			}) {
				continue
			}
			kind, _, _ := strings.Cut(v, " ")
			t.Logf("FOUND %v %q %d %q", codes(without), world, seed, kind)
			return
		}
	}
	t.Logf("NOT FOUND %v", codes(without))
}
