package monitoring_test

import (
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

var (
	seriesOf   = regexp.MustCompile(`^(\w+)\{(.*)\}$`)
	labelValue = regexp.MustCompile(`(\w+)="([^"]*)"`)
)

// told are the labels whose values an agent's page has all, whatever has happened so far.
var told = []string{"state", "kind", "outcome"}

// units compares the series of the rules' unit tests with those that real agents have shown: each has these labels, and what the labels
// can say is said by them too.
func (w *world) units() {
	w.t.Helper()
	var body struct{ Data []map[string]string }
	if !w.get("/api/v1/series?match[]="+url.QueryEscape(`{__name__=~"failoverd_.+"}`), &body) || len(body.Data) == 0 {
		w.t.Fatal("Prometheus does not tell its series")
	}
	labels, values := map[string]map[string]bool{}, map[string]bool{}
	for _, s := range body.Data {
		name := s["__name__"]
		delete(s, "__name__")
		delete(s, "job")
		if labels[name] == nil {
			labels[name] = map[string]bool{}
		}
		labels[name][strings.Join(slices.Sorted(maps.Keys(s)), " ")] = true
		for _, l := range told {
			values[name+" "+l+" "+s[l]] = true
		}
	}
	var file unitTests
	readYAML(w.t, deployed+"/rules_test.yaml", &file)
	n := 0
	for _, test := range file.Tests {
		for _, s := range test.Series {
			n++
			parts := seriesOf.FindStringSubmatch(s.Series)
			if parts == nil {
				w.t.Fatalf("rules_test.yaml: %s: the series %s is no name with labels", test.Name, s.Series)
			}
			var names []string
			for _, l := range labelValue.FindAllStringSubmatch(parts[2], -1) {
				if l[1] == "about" && l[2] == "" { // Prometheus has no labels that are empty
					continue
				}
				if l[1] == "witness" && (parts[1] == "failoverd_alarm" || strings.HasPrefix(parts[1], "failoverd_witness_")) { // of several: the agents here have one
					continue
				}
				names = append(names, l[1])
				if slices.Contains(told, l[1]) && !values[parts[1]+" "+l[1]+" "+l[2]] {
					w.t.Errorf("rules_test.yaml: %s: no agent shows %s with %s=%q", test.Name, parts[1], l[1], l[2])
				}
			}
			slices.Sort(names)
			if got := strings.Join(names, " "); !labels[parts[1]][got] {
				w.t.Errorf("rules_test.yaml: %s: %s has the labels %q; agents show %q", test.Name, parts[1], got, slices.Sorted(maps.Keys(labels[parts[1]])))
			}
		}
	}
	w.t.Logf("%d series of the rules' unit tests, each as agents show them", n)
}
