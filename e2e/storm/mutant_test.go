package storm

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// mutant is what `go build` has to be told so that the daemon breaks one rule of the protocol, by its code: the storm has to find
// that out.
func mutant(t *testing.T, code string) (flags []string) {
	t.Helper()
	n := slices.IndexFunc(lease.Rules[:], func(r lease.RuleText) bool { return r.Code == code })
	if n < 0 {
		t.Fatalf("-without %s: docs/protocol.md has no such rule", code)
	}
	path, err := filepath.Abs("../../lease/rules.go")
	must(t, err)
	source, err := os.ReadFile(path)
	must(t, err)
	const obeys = "return s.without&(1<<r) == 0"
	changed := strings.Replace(string(source), obeys, obeys+` && Rules[r].Code != "`+code+`"`, 1)
	if changed == string(source) {
		t.Fatalf("%s does not say %q", path, obeys)
	}
	return daemon.Overlay(t, map[string]string{path: changed})
}
