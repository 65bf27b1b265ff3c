package lease_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/lease"
)

var update = flag.Bool("update", false, "write docs/reasons.md anew; then read the diff")

const reasonsPage = "../docs/reasons.md"

// reasonKinds are the kinds of reasons, by how their constants' names begin, and what the page says above them.
var reasonKinds = []struct{ prefix, title, text string }{
	{"Reason", "Why a region is in its state", "The label `reason` of `failoverd_transitions_total`, `reason` of the log line `state changed`, `reason` of `failoverd status`, and of `failoverd history`."},
	{"Gate", "Gates", "What must hold before a region raises its flag, takes, or hands over: `failoverd explain`, `gates` of `failoverd status`, the label `gate` of `failoverd_gate_open`. The remedy is for one that stays closed."},
	{"Refused", "Why a region does not pledge", "`why` of a peer's `quorum` in `failoverd status`. It may be a gate of the region that was asked, too."},
	{"Notice", "Notices", "What an operator should know of. One that lasts is an alarm while it holds: it is among the `alarms` of `failoverd status`, and in `failoverd_alarm`. Its log line begins with its title."},
}

// reasonConstants are the constants of reasons.go by the kind that their names begin with, in order.
func reasonConstants(t *testing.T) map[string][]lease.ReasonCode {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "reasons.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	codes := map[string][]lease.ReasonCode{}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Type == nil || fmt.Sprint(spec.Type) != "ReasonCode" {
			return true
		}
		name := spec.Names[0].Name
		code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range reasonKinds {
			if strings.HasPrefix(name, k.prefix) {
				codes[k.prefix] = append(codes[k.prefix], lease.ReasonCode(code))
				return true
			}
		}
		t.Errorf("%s begins with the name of no kind of reasons", name)
		return true
	})
	return codes
}

// TestReasonsPage compares the page of the vocabulary with the table that it is written from. Every constant has to be in the
// table, and so on the page.
func TestReasonsPage(t *testing.T) {
	table := map[lease.ReasonCode]lease.Reason{}
	for _, r := range lease.Reasons {
		table[r.Code] = r
	}
	var page strings.Builder
	page.WriteString("# Reasons, gates, notices\n\nOne vocabulary: `status`, `explain`, `history`, the log, the journal, Events and metrics use these codes and sentences. " +
		"This page is written from the code (`go test ./lease -run TestReasonsPage -update`).\n")
	codes := reasonConstants(t)
	listed := 0
	for _, k := range reasonKinds {
		fmt.Fprintf(&page, "\n## %s\n\n%s\n\n| code | severity | title | it means | what to do |\n|---|---|---|---|---|\n", k.title, k.text)
		for _, code := range codes[k.prefix] {
			r, ok := table[code]
			if !ok {
				t.Errorf("%s is not in the table of reasons", code)
			}
			remedy := r.Remedy
			if remedy == "" {
				remedy = "nothing"
			}
			fmt.Fprintf(&page, "| `%s` | %s | %s | %s | %s |\n", r.Code, r.Severity, r.Title, r.Text, remedy)
			listed++
		}
	}
	if listed != len(lease.Reasons) {
		t.Errorf("the page lists %d codes, the table has %d: there is one that is no constant", listed, len(lease.Reasons))
	}
	if *update {
		if err := os.WriteFile(reasonsPage, []byte(page.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(reasonsPage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != page.String() {
		t.Errorf("%s is not what the table of reasons says; run go test ./lease -run TestReasonsPage -update", reasonsPage)
	}
}
