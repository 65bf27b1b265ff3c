package monitoring_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

const (
	root     = "../.."
	deployed = root + "/deploy/prometheus"
	runbooks = root + "/docs/runbooks"
	atHub    = "https://github.com/openova-io/failoverd/blob/main/docs/runbooks/"
)

// A rule is an alert of the file of rules.
type rule struct {
	Alert       string            `json:"alert"`
	Expr        string            `json:"expr"`
	For         string            `json:"for,omitempty"`
	Labels      map[string]string `json:"labels"`
	Annotations map[string]string `json:"annotations"`
}

type ruleFile struct {
	Groups []struct {
		Name     string `json:"name"`
		Interval string `json:"interval,omitempty"`
		Rules    []rule `json:"rules"`
	} `json:"groups"`
}

// readYAML reads a file of the repository.
func readYAML(t *testing.T, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.UnmarshalStrict(data, into); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
}

// rules are the alerts.
func rules(t *testing.T) []rule {
	t.Helper()
	var file ruleFile
	readYAML(t, deployed+"/rules.yaml", &file)
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) == 0 {
		t.Fatalf("rules.yaml has %d groups, want one, with rules", len(file.Groups))
	}
	return file.Groups[0].Rules
}

// program is the path of a program of Debian's package prometheus.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing; run e2e/setup.sh, or install Debian's package prometheus", name)
	}
	return path
}

// unitTests is the file of the rules' unit tests.
type unitTests struct {
	RuleFiles []string `json:"rule_files"`
	Interval  string   `json:"evaluation_interval"`
	Tests     []struct {
		Name     string `json:"name"`
		Interval string `json:"interval"`
		Series   []struct {
			Series string `json:"series"`
			Values string `json:"values"`
		} `json:"input_series"`
		PromQL     []any `json:"promql_expr_test"`
		AlertTests []struct {
			Alert string `json:"alertname"`
			At    string `json:"eval_time"`
			Want  []any  `json:"exp_alerts"`
		} `json:"alert_rule_test"`
	} `json:"tests"`
}

// TestUnits has promtool read the rules and run their unit tests: what fires in a calm hour, which is nothing, and what each fault fires.
// No alert may be without one.
func TestUnits(t *testing.T) {
	for _, args := range [][]string{{"test", "rules", "rules_test.yaml"}, {"check", "config", "prometheus.yaml"}} {
		cmd := exec.CommandContext(t.Context(), program(t, "promtool"), args...)
		cmd.Dir = deployed
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %q: %v\n%s", args, err, out)
		}
	}
	var file unitTests
	readYAML(t, deployed+"/rules_test.yaml", &file)
	tested := map[string]bool{}
	for _, test := range file.Tests {
		for _, a := range test.AlertTests {
			tested[a.Alert] = tested[a.Alert] || len(a.Want) > 0
		}
	}
	for _, r := range rules(t) {
		if !tested[r.Alert] {
			t.Errorf("rules_test.yaml has no test in which %s fires", r.Alert)
		}
	}
}

// TestShown has each alert be one that real agents have fire, with a fault made for it.
func TestShown(t *testing.T) {
	var faults []byte
	for _, name := range []string{"live_test.go", "instances_test.go"} {
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		faults = append(faults, source...)
	}
	for _, r := range rules(t) {
		if !regexp.MustCompile(`"` + r.Alert + `\b`).Match(faults) {
			t.Errorf("no fault of TestLive or TestInstances has %s fire", r.Alert)
		}
	}
}

// headings are those of every runbook.
var headings = []string{"## What it means", "## What the daemon does by itself", "## What you see", "## What you do", "## What not to do"}

// link is a link to a file of the docs, in Markdown.
var link = regexp.MustCompile(`\]\(([^)#:]+)\)`)

// TestRunbooks has each alert say what an alert says, and link its runbook, and each runbook be of an alert.
func TestRunbooks(t *testing.T) {
	entries, err := os.ReadDir(runbooks)
	if err != nil {
		t.Fatal(err)
	}
	unused := map[string]bool{}
	for _, e := range entries {
		unused[e.Name()] = true
	}
	for _, r := range rules(t) {
		name := r.Alert + ".md"
		if got, want := r.Annotations["runbook_url"], atHub+name; got != want {
			t.Errorf("the runbook of %s is %q, want %q", r.Alert, got, want)
		}
		if got, want := slices.Sorted(maps.Keys(r.Annotations)), []string{"description", "runbook_url", "summary"}; !slices.Equal(got, want) {
			t.Errorf("%s has the annotations %q, want %q", r.Alert, got, want)
		}
		if s := r.Labels["severity"]; len(r.Labels) != 1 || s != "critical" && s != "warning" {
			t.Errorf("%s has the labels %v, want the severity critical or warning", r.Alert, r.Labels)
		}
		if !unused[name] {
			t.Errorf("%s has no runbook %s/%s", r.Alert, runbooks, name)
			continue
		}
		delete(unused, name)
		data, err := os.ReadFile(filepath.Join(runbooks, name))
		if err != nil {
			t.Fatal(err)
		}
		at := -1
		for _, h := range headings {
			i := strings.Index(string(data), "\n"+h+"\n")
			if i <= at {
				t.Errorf("%s: the heading %q is missing, or not in its place", name, h)
			}
			at = i
		}
		for _, l := range link.FindAllStringSubmatch(string(data), -1) {
			if _, err := os.Stat(filepath.Join(runbooks, l[1])); err != nil {
				t.Errorf("%s links %s: %v", name, l[1], err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unused)) {
		t.Errorf("%s/%s is of no alert", runbooks, name)
	}
}
