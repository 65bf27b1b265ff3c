package monitoring_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

const (
	// awaitLimit is for one condition. It is no measure of anything: it only ends a test that hangs.
	awaitLimit = 90 * time.Second

	// lookAgain is how often a condition is looked at.
	lookAgain = 100 * time.Millisecond

	// faster is by how much the rules' durations are shorter here than as shipped.
	faster = 15
)

// A region is a daemon, with its way from the resolvers, and a page that its probe looks at.
type region struct {
	*daemon.Region
	door *resolvers.Meddler
	ill  atomic.Bool
}

// A world is a group that runs, and the Prometheus that watches it.
type world struct {
	t       *testing.T
	params  lease.Params
	regions []*region
	api     string // of Prometheus
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, params: lease.Params{
		Members: []lease.Region{"fsn", "hel", "nbg"},
		TTL:     10 * time.Second, RenewInterval: time.Second, RetryInterval: 300 * time.Millisecond, PollInterval: 250 * time.Millisecond,
		RequestTimeout: 3 * time.Second, FenceTimeout: 2 * time.Second, MaxClockDrift: 0.002,
	}}
	lab := resolvers.Start(t, w.params.Members)
	quorum := &daemon.Quorum{
		Zone: resolvers.Zone, Listen: map[lease.Region]string{}, Resolvers: map[lease.Region][]string{}, Timeout: w.params.RequestTimeout * 3 / 4,
	}
	for _, m := range w.params.Members {
		quorum.Listen[m] = lab.Address()
		w.regions = append(w.regions, &region{door: lab.NewMeddler(t, lab.Region(m), quorum.Listen[m])})
		for _, resolver := range lab.Resolvers {
			quorum.Resolvers[m] = append(quorum.Resolvers[m], resolver.Address)
		}
	}
	var targets []string
	for i, r := range daemon.NewGroup(t, daemon.Build(t, true), w.params, quorum).Regions {
		of := w.regions[i]
		of.Region = r
		page := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			if of.ill.Load() {
				http.Error(rw, "down", http.StatusServiceUnavailable)
			}
		}))
		t.Cleanup(page.Close)
		of.Configure(t, "", fmt.Sprintf("health:\n  degraded_after: 2s\n  recovered_after: 2s\n  probes: [{name: gateway, http: %q, interval: 500ms, timeout: 400ms}]\n", page.URL))
		api := lab.Address()
		of.Place(t, api)
		targets = append(targets, fmt.Sprintf("{targets: [%q], labels: {failover_group: %s, failover_region: %s}}", api, daemon.GroupName, r.Name))
		r.Start(t)
	}
	w.watch(lab.Address(), targets)
	return w
}

// watch starts Prometheus with the rules as shipped, but for their durations.
func (w *world) watch(listen string, targets []string) {
	w.t.Helper()
	var file ruleFile
	readYAML(w.t, deployed+"/rules.yaml", &file)
	for i := range file.Groups[0].Rules {
		r := &file.Groups[0].Rules[i]
		if r.For == "" || r.Alert == "FailoverdClockDrift" { // which would be told by the times of single scrapes
			continue
		}
		d, err := time.ParseDuration(r.For)
		if err != nil {
			w.t.Fatal(err)
		}
		r.For = fmt.Sprintf("%dms", (d / faster).Milliseconds())
	}
	text, err := yaml.Marshal(file)
	if err != nil {
		w.t.Fatal(err)
	}
	dir := w.t.TempDir()
	for name, content := range map[string]string{
		"rules.yaml": string(text),
		"prometheus.yaml": "global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 500ms}\nrule_files: [rules.yaml]\nscrape_configs:\n" +
			"  - job_name: failoverd\n    static_configs: [" + strings.Join(targets, ", ") + "]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	p, err := daemon.StartProcess(program(w.t, "prometheus"), "--config.file="+filepath.Join(dir, "prometheus.yaml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+listen, "--log.level=warn")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := p.Kill(); err != nil {
			w.t.Error(err)
		}
		if _, stderr := p.Output(); w.t.Failed() {
			w.t.Logf("Prometheus:\n%s", stderr)
		}
	})
	w.api = "http://" + listen + "/api/v1/"
	w.await("Prometheus scrapes all", func() bool { return len(w.query("failoverd_build_info")) == len(targets) })
}

// A sample is one of an instant vector, by its labels.
type sample struct {
	Metric map[string]string `json:"metric"`
}

// query asks Prometheus; nothing comes from one that does not answer yet.
func (w *world) query(expr string) []sample {
	var body struct {
		Status, Error string
		Data          struct{ Result []sample }
	}
	if w.get("query?query="+url.QueryEscape(expr), &body) && body.Status != "success" {
		w.t.Fatalf("query %s: %s", expr, body.Error)
	}
	return body.Data.Result
}

func (w *world) get(path string, into any) bool {
	ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, w.api+path, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	return json.NewDecoder(resp.Body).Decode(into) == nil
}

// await waits until a condition holds.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	limit := time.NewTimer(awaitLimit)
	defer limit.Stop()
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			w.t.Fatalf("waited %v in vain: %s; firing: %q", awaitLimit, what, w.firing(""))
		}
	}
}

// firing are the alerts that fire, or did within a time, with their region.
func (w *world) firing(within string) (all []string) {
	expr := `ALERTS{alertstate="firing"}`
	if within != "" {
		expr = "max_over_time(" + expr + "[" + within + "])"
	}
	for _, s := range w.query(expr) {
		all = append(all, strings.TrimSpace(s.Metric["alertname"]+" "+s.Metric["failover_region"]))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// fires has alerts fire that did not before a fault is made.
func (w *world) fires(fault string, make func(), alerts ...string) {
	w.t.Helper()
	for _, a := range alerts {
		if slices.Contains(w.firing(""), a) {
			w.t.Errorf("%s fires before: %s", a, fault)
		}
	}
	began := time.Now()
	make()
	for _, a := range alerts {
		w.await(fault+": "+a, func() bool { return slices.Contains(w.firing(""), a) })
		w.t.Logf("%s: %s fires after %.1f s", fault, a, time.Since(began).Seconds())
	}
}

// settle waits until one region is active, and the others are standbys that all reach one another.
func (w *world) settle() (holder *region, standbys []*region) {
	w.t.Helper()
	w.await("one active region, and standbys that all reach one another", func() bool {
		holder, standbys = nil, nil
		for _, r := range w.regions {
			s, err := r.Status(w.t.Context())
			ok := err == nil && s.Witness.Up
			for _, p := range s.Peers {
				ok = ok && p.Known && p.Quorum != nil && p.Quorum.Reached
			}
			switch {
			case !ok:
			case s.State == lease.Active && s.AllLayers("active"):
				holder = r
			case s.State == lease.Standby && s.AllLayers("inactive"):
				standbys = append(standbys, r)
			}
		}
		return holder != nil && len(standbys) == len(w.regions)-1
	})
	return holder, standbys
}
