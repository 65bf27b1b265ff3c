package lease_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/lease"
)

// pure are the packages that have no I/O, no goroutine and no clock.
var pure = []string{".", "../health", "../gpu"}

// forbidden are what a pure package must never import, and why.
var forbidden = map[string]string{
	"net":          "the core does no I/O: actions are carried out by the agent",
	"net/http":     "the core does no I/O: actions are carried out by the agent",
	"os":           "the core does no I/O: what is on disk comes with Start",
	"io/fs":        "the core does no I/O: what is on disk comes with Start",
	"log":          "the core does not log: it returns Transition and Notice",
	"context":      "the core never waits: deadlines are Instants in actions",
	"sync":         "one goroutine owns a State",
	"sync/atomic":  "one goroutine owns a State",
	"math/rand":    "the core is deterministic: randomness comes with Start",
	"math/rand/v2": "the core is deterministic: randomness comes with Start",
	"crypto/rand":  "the core is deterministic: randomness comes with Start",
	"runtime":      "the core is deterministic",
	"testing":      "the core does not know that it is tested: see Strict",
}

// timeAllowed is all that the core may use of package time: durations, never a
// clock.
var timeAllowed = map[string]bool{"Duration": true, "Hour": true, "Minute": true, "Second": true, "Millisecond": true}

func TestPure(t *testing.T) {
	for _, dir := range pure {
		names, err := filepath.Glob(dir + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		files := 0
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			files++
			checkPure(t, name)
		}
		if files == 0 {
			t.Fatalf("%s: no file was looked at", dir)
		}
	}
}

func checkPure(t *testing.T, name string) {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, imp := range f.Imports {
		path := strings.Trim(imp.Path.Value, `"`)
		if why := forbidden[path]; why != "" {
			t.Errorf("%s imports %s: %s", name, path, why)
		}
		if strings.Contains(path, ".") && path != "github.com/openova-io/failoverd/lease" {
			t.Errorf("%s imports %s: a pure package has the standard library and lease only", name, path)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt, *ast.ChanType:
			t.Errorf("%s has a goroutine or a channel: one goroutine owns a State", name)
		case *ast.SelectorExpr:
			if pkg, ok := n.X.(*ast.Ident); ok && pkg.Name == "time" && pkg.Obj == nil && !timeAllowed[n.Sel.Name] {
				t.Errorf("%s uses time.%s: time is an argument", name, n.Sel.Name)
			}
		}
		return true
	})
}

// TestMutantsStayInTheSimulator keeps the rules from being left out elsewhere.
func TestMutantsStayInTheSimulator(t *testing.T) {
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && d.Name() == "node_modules" {
			return fs.SkipDir
		}
		inSim := strings.Contains(filepath.ToSlash(path), "lease/sim/") || strings.HasPrefix(filepath.ToSlash(path), "../lease/sim/")
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || inSim || filepath.Base(path) == "state.go" {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && id.Name == "NewMutant" {
				t.Errorf("%s mentions NewMutant: only the simulator may leave rules out", path)
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestReasonsAreWhole(t *testing.T) {
	seen := map[lease.ReasonCode]bool{}
	for _, r := range lease.Reasons {
		if seen[r.Code] {
			t.Errorf("%s stands twice", r.Code)
		}
		seen[r.Code] = true
		if r.Title == "" || r.Text == "" {
			t.Errorf("%s has no title or no text", r.Code)
		}
		if r.Severity == lease.Critical && r.Remedy == "" {
			t.Errorf("%s is critical and says not what to do", r.Code)
		}
	}
}
