package model_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/lease"
)

const folder = "../../docs/model/"

// worlds are the values of the model's parameters, by name. Those that are not given are as in lease.pml.
var worlds = map[string]string{
	"linearizable": "DELTA=0 PLEDGES=1 REBOOTS=1",
	"both":         "TTL=2 DELTA=1 PLEDGES=1 REBOOTS=1",
	"stale":        "TTL=2 DELTA=2",
	"slow reads":   "TTL=2 DELTA=1 SLOW_READS=1",
	"late":         "TTL=2 DELTA=0 GARBLED=1",
	"drift":        "TTL=2 DELTA=0 LATE=0 DRIFT=1",
	"pledges":      "TTL=2 DELTA=0 LATE=0 PLEDGES=1 REBOOTS=1",
	"epochs":       "TTL=1 DELTA=0 RT=0 LATE=0 PLEDGES=1 EPOCHS=2",
	"word":         "TTL=2 DELTA=0 LATE=0 PLEDGES=1 WORD=1",
	"three":        "N=3 WITNESS=0 LATE=0 TTL=2 PLEDGES=1",
}

// What goes wrong.
const (
	twoHold   = "two regions hold authority"
	twoActive = "the layers of two regions may be active"
	usedTwice = "an epoch is used twice"
	reached   = "reached"
)

// mutants are the rules that the model has: without each it goes wrong.
var mutants = []struct {
	rule  lease.Rule
	world string
	wrong string
}{
	{lease.RuleCountFromSending, "pledges", twoHold},
	{lease.RuleNoRevival, "pledges", twoHold},
	{lease.RuleFenceInTime, "pledges", twoActive},
	{lease.RuleNewWriteID, "late", twoHold},
	{lease.RuleEveryNewRecord, "late", twoHold},
	{lease.RuleMalformedIsEvidence, "late", twoHold},
	{lease.RuleStartEvidence, "pledges", twoHold},
	{lease.RuleSilentWithdrawal, "late", twoHold},
	{lease.RuleFlagExpires, "late", twoHold},
	{lease.RuleSettle, "stale", twoHold},
	{lease.RuleStalenessWait, "stale", twoHold},
	{lease.RuleDrift, "drift", twoHold},
	{lease.RuleMissingIsNotFree, "stale", twoHold},
	{lease.RuleReadFromSending, "slow reads", twoHold},
	{lease.RuleEpochAbove, "epochs", usedTwice},
	{lease.RuleBootID, "pledges", twoHold},
	{lease.RuleSavedDeadline, "pledges", twoHold},
	{lease.RuleLayersFencedFirst, "pledges", twoHold},
	{lease.RuleGrantIsEvidence, "pledges", twoHold},
	{lease.RuleGrantVoids, "pledges", twoHold},
	{lease.RuleGrantEpoch, "epochs", usedTwice},
	{lease.RuleEveryPledge, "three", twoHold},
	{lease.RulePledgeFromSending, "pledges", twoHold},
	{lease.RuleAnswerToQuestion, "pledges", twoHold},
	{lease.RuleFencedUntilSeen, "word", twoHold},
}

// reaches are what must be possible, or that nothing goes wrong would say nothing.
var reaches = []struct {
	what  string
	world string
	claim string
}{
	{"both regions take by their flags, in turn", "stale", "byFlag[0] && byFlag[1]"},
	{"both take by pledges, in turn", "pledges", "byPledge[0] && byPledge[1]"},
	{"one takes by its flag, the other by pledges", "pledges", "byFlag[0] && byPledge[1]"},
	{"authority changes hands for the third time", "pledges", "takes == 3"},
	{"a holder goes on by pledges", "pledges", "prolonged"},
	{"a region that has crashed goes on with its authority", "stale", "resumed"},
	{"a region takes after a stale read", "stale", "sawOld && takes > 0"},
	{"a region takes after a lost write has landed", "late", "lateLanded && takes > 0"},
	{"both are candidates with their flags raised", "stale", "mode[0] == CANDIDATE && left[0] > 0 && mode[1] == CANDIDATE && left[1] > 0"},
	{"a region takes with clocks that were fast and slow", "drift", "fast && slow && takes > 0"},
	{"both epochs are used", "epochs", "used == 2"},
	{"a region takes by an operator's word", "word", "byWord"},
	{"one of three takes by the pledges of the others", "three", "byPledge[0]"},
}

// A result is what spin's verifier found.
type result struct {
	wrong  string // empty for nothing
	events int    // of the shortest way there
	states string
}

var (
	violated = regexp.MustCompile(`assertion violated (.*) \(at depth (\d+)\)`)
	stored   = regexp.MustCompile(`(?m)^ *(\d+) states, stored`)
)

// check runs spin on a world. A search for what goes wrong is breadth first: it finds a shortest way.
func check(t *testing.T, world string, wrong bool, defines ...string) result {
	t.Helper()
	if _, err := exec.LookPath("spin"); err != nil {
		t.Fatal("spin is missing; run e2e/setup.sh, or install Debian's package spin")
	}
	model, err := filepath.Abs(folder + "lease.pml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	run := func(program string, args ...string) string {
		cmd := exec.CommandContext(t.Context(), program, args...)
		cmd.Dir = dir
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	args := []string{"-a"}
	// spin has a shell run the preprocessor.
	for _, d := range append(strings.Fields(worlds[world]), defines...) {
		args = append(args, "-D'"+d+"'")
	}
	run("spin", append(args, model)...)
	compile := []string{"-O1", "-DSAFETY", "-DNOREDUCE", "-DMEMLIM=1500", "-o", "pan", "pan.c"}
	if wrong {
		compile = append([]string{"-DBFS"}, compile...)
	}
	run("gcc", compile...)
	out := run("./pan", "-m2000000")

	var r result
	if m := stored.FindStringSubmatch(out); m != nil {
		r.states = m[1]
	}
	m := violated.FindStringSubmatch(out)
	if m == nil {
		if !strings.Contains(out, "errors: 0") || strings.Contains(out, "Search not completed") || strings.Contains(out, "max search depth too small") {
			t.Fatalf("the search is not complete:\n%s", out)
		}
		return r
	}
	fmt.Sscan(m[2], &r.events)
	switch {
	case strings.Contains(m[1], "used"):
		r.wrong = usedTwice
	case strings.Contains(m[1], "layers"):
		r.wrong = twoActive
	case strings.Contains(m[1], "mode"):
		r.wrong = twoHold
	default:
		r.wrong = reached
	}
	return r
}

// row checks that the README has a row of a table.
func row(t *testing.T, cells ...string) {
	t.Helper()
	want := "| " + strings.Join(cells, " | ") + " |"
	t.Log(want)
	if !strings.Contains(readme(t), want+"\n") {
		t.Errorf("docs/model/README.md does not have the row\n%s", want)
	}
}

func readme(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(folder + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func define(r lease.Rule) string {
	return "WITHOUT_" + strings.ToUpper(strings.ReplaceAll(lease.Rules[r].Code, "-", "_"))
}

// TestSafe is the proof, as far as it goes: nothing goes wrong in any state of any world.
func TestSafe(t *testing.T) {
	for world, parameters := range worlds {
		t.Run(world, func(t *testing.T) {
			t.Parallel()
			r := check(t, world, false)
			if r.wrong != "" {
				t.Errorf("%s, after %d events", r.wrong, r.events)
			}
			row(t, world, "`"+parameters+"`", r.states)
		})
	}
}

// TestMutants leaves one rule out after the other.
func TestMutants(t *testing.T) {
	for _, m := range mutants {
		code := lease.Rules[m.rule].Code
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			r := check(t, m.world, true, define(m.rule))
			if r.wrong != m.wrong {
				t.Errorf("got %q in %s states, want %q", r.wrong, r.states, m.wrong)
			}
			row(t, "`"+code+"`", lease.Rules[m.rule].Section, m.world, r.wrong, fmt.Sprint(r.events))
		})
	}
}

// TestReaches claims that what must be possible is not.
func TestReaches(t *testing.T) {
	for _, c := range reaches {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			r := check(t, c.world, true, "REACH="+c.claim)
			if r.wrong != reached {
				t.Errorf("got %q in %s states, want it to be reached", r.wrong, r.states)
			}
			row(t, c.what, c.world, fmt.Sprint(r.events))
		})
	}
}

// TestRules checks that every rule of the protocol is in the model, or that the README says why not.
func TestRules(t *testing.T) {
	model, err := os.ReadFile(folder + "lease.pml")
	if err != nil {
		t.Fatal(err)
	}
	in := map[lease.Rule]bool{}
	for _, m := range mutants {
		in[m.rule] = true
	}
	_, leftOut, _ := strings.Cut(readme(t), "## What it leaves out")
	for _, r := range lease.Rules {
		out := strings.Contains(leftOut, "`"+r.Code+"`")
		switch {
		case in[r.Rule] && out:
			t.Errorf("docs/model/README.md says that rule %s is left out of the model, which has it", r.Code)
		case in[r.Rule] != strings.Contains(string(model), define(r.Rule)):
			t.Errorf("rule %s: mutants and lease.pml disagree about %s", r.Code, define(r.Rule))
		case !in[r.Rule] && !out:
			t.Errorf("rule %s is not in the model, and docs/model/README.md does not say why", r.Code)
		}
	}
}
