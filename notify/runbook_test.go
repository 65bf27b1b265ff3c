package notify

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/openova-io/failoverd/lease"
)

// TestRunbooks is in the package, since it walks the table: every runbook is there, and what has a rule in
// Prometheus is told under its name.
func TestRunbooks(t *testing.T) {
	data, err := os.ReadFile("../deploy/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert, Expr string
			}
		}
	}
	if err := yaml.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	rules, other := map[string]bool{}, ""
	for _, r := range file.Groups[0].Rules {
		rules[r.Alert] = true
		if r.Alert == otherAlert {
			other = r.Expr
		}
	}
	for _, r := range lease.Reasons {
		for _, kind := range []Kind{Transition, Notice, Alarm, AlarmEnded} {
			page, ok := strings.CutPrefix(runbook(kind, r.Code), atHub)
			if _, err := os.Stat(filepath.Join("../docs", page)); !ok || err != nil {
				t.Errorf("%s of %s: %v", kind, r.Code, err)
			}
		}
	}
	for why, name := range alerts {
		if !rules[name] {
			t.Errorf("%s: no rule is called %s", why, name)
		}
		if !slices.ContainsFunc(lease.Reasons, func(r lease.Reason) bool { return r.Code == why }) {
			t.Errorf("%s is no reason", why)
		}
	}
	for _, why := range strings.Split(strings.Split(strings.SplitN(other, `reason!~"`, 2)[1], `"`)[0], "|") {
		if _, ok := alerts[lease.ReasonCode(why)]; !ok {
			t.Errorf("the rule %s leaves %s out, and what is told of it is called so", otherAlert, why)
		}
	}
}
