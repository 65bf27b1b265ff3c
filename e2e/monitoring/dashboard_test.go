package monitoring_test

import (
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// A panel is one of the dashboard, with what it asks Prometheus.
type panel struct {
	ID      int    `json:"id"`
	Type    string `json:"type"`
	Title   string `json:"title"`
	Targets []struct {
		Expr string `json:"expr"`
	} `json:"targets"`
}

// panels are those of the dashboard that ask something.
func panels(t *testing.T) (all []panel) {
	t.Helper()
	data, err := os.ReadFile(root + "/deploy/grafana/failoverd.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard struct {
		Panels []panel `json:"panels"`
	}
	if err := json.Unmarshal(data, &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, p := range dashboard.Panels {
		if p.Type != "row" {
			all = append(all, p)
		}
	}
	return all
}

var metricName = regexp.MustCompile(`failoverd_[a-z_]+`)

// TestNames has the rules and the dashboard name only metrics that there are.
func TestNames(t *testing.T) {
	page, err := os.ReadFile(root + "/docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	check := func(of, expr string) {
		t.Helper()
		for _, name := range metricName.FindAllString(expr, -1) {
			if !strings.Contains(string(page), "| `"+strings.TrimSuffix(name, "_bucket")+"` |") {
				t.Errorf("%s: no metric is called %s", of, name)
			}
		}
	}
	for _, r := range rules(t) {
		check(r.Alert, r.Expr)
	}
	ids := map[int]bool{}
	for _, p := range panels(t) {
		if ids[p.ID] || len(p.Targets) == 0 {
			t.Errorf("the panel %q bears the number of another one, or asks nothing", p.Title)
		}
		ids[p.ID] = true
		for _, target := range p.Targets {
			check(p.Title, target.Expr)
		}
	}
}

// quiet are the panels that are empty where no alarm holds and each region has one agent.
var quiet = []string{"Alarms that hold", "Acts for its region"}

// dashboard asks Prometheus all that the dashboard does, of a group that is well.
func (w *world) dashboard() {
	w.t.Helper()
	variables := strings.NewReplacer("$group", daemon.GroupName, "$__rate_interval", "1m")
	n := 0
	for _, p := range panels(w.t) {
		for _, target := range p.Targets {
			expr := variables.Replace(target.Expr)
			var body struct {
				Status, Error string
				Data          struct{ Result []sample }
			}
			if !w.get("/api/v1/query?query="+url.QueryEscape(expr), &body) || body.Status != "success" {
				w.t.Errorf("the panel %q: %s: %s %s", p.Title, expr, body.Status, body.Error)
			}
			if empty := slices.Contains(quiet, p.Title); (len(body.Data.Result) == 0) != empty {
				w.t.Errorf("the panel %q: %s brings %d series", p.Title, expr, len(body.Data.Result))
			}
			n++
		}
	}
	w.t.Logf("the dashboard: %d panels, %d queries, each answered, all but those of %q with data", len(panels(w.t)), n, quiet)
}
