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
	address func() string // one more address, host:port
	regions []*region
	api     string // of Prometheus
}

// quick are times with which a fault shows within seconds, and health the same for a probe.
var quick = lease.Params{
	Members: []lease.Region{"fsn", "hel", "nbg"},
	TTL:     10 * time.Second, RenewInterval: time.Second, RetryInterval: 300 * time.Millisecond, PollInterval: 250 * time.Millisecond,
	RequestTimeout: 3 * time.Second, FenceTimeout: 2 * time.Second, MaxClockDrift: 0.002,
}

const quickHealth = "degraded_after: 2s, recovered_after: 2s, probes: [{name: gateway, http: %q, interval: 500ms, timeout: 400ms}]"

// newWorld is a group that runs, and that nobody watches yet. In health there is room for the address of the page that is probed.
func newWorld(t *testing.T, params lease.Params, health string) *world {
	t.Helper()
	w := &world{t: t}
	lab := resolvers.Start(t, params.Members)
	w.address = lab.Address
	quorum := &daemon.Quorum{
		Zone: resolvers.Zone, Listen: map[lease.Region]string{}, Resolvers: map[lease.Region][]string{}, Timeout: params.RequestTimeout * 3 / 4,
	}
	for _, m := range params.Members {
		quorum.Listen[m] = lab.Address()
		w.regions = append(w.regions, &region{door: lab.NewMeddler(t, lab.Region(m), quorum.Listen[m])})
		for _, resolver := range lab.Resolvers {
			quorum.Resolvers[m] = append(quorum.Resolvers[m], resolver.Address)
		}
	}
	for i, r := range daemon.NewGroup(t, daemon.Build(t, true), params, quorum).Regions {
		of := w.regions[i]
		of.Region = r
		page := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
			if of.ill.Load() {
				http.Error(rw, "down", http.StatusServiceUnavailable)
			}
		}))
		t.Cleanup(page.Close)
		of.Configure(t, "", fmt.Sprintf("health: {"+health+"}\n", page.URL))
		of.Place(t, lab.Address())
		r.Start(t)
	}
	return w
}

// hasten makes the rules' durations shorter, and Prometheus look often.
func hasten(t *testing.T, file *ruleFile, config *prometheusConfig) {
	t.Helper()
	for i := range file.Groups[0].Rules {
		r := &file.Groups[0].Rules[i]
		if r.For == "" || r.Alert == "FailoverdClockDrift" { // which would be told by the times of single scrapes
			continue
		}
		d, err := time.ParseDuration(r.For)
		if err != nil {
			t.Fatal(err)
		}
		r.For = fmt.Sprintf("%dms", (d / faster).Milliseconds())
	}
	config.Global = map[string]string{"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "500ms"}
}

// A prometheusConfig is Prometheus's configuration.
type prometheusConfig struct {
	Global    map[string]string `json:"global"`
	RuleFiles []string          `json:"rule_files"`
	Scrape    []struct {
		Job    string   `json:"job_name"`
		Static []target `json:"static_configs"`
	} `json:"scrape_configs"`
}

type target struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels,omitempty"`
}

// watch starts Prometheus with the rules and the configuration as shipped, but for the targets, and for what change does to them.
func (w *world) watch(change func(*testing.T, *ruleFile, *prometheusConfig)) {
	w.t.Helper()
	var file ruleFile
	readYAML(w.t, deployed+"/rules.yaml", &file)
	var config prometheusConfig
	readYAML(w.t, deployed+"/prometheus.yaml", &config)
	config.Scrape[0].Static = nil
	for _, r := range w.regions {
		config.Scrape[0].Static = append(config.Scrape[0].Static,
			target{[]string{r.Address()}, map[string]string{"failover_group": daemon.GroupName, "failover_region": string(r.Name)}})
	}
	if change != nil {
		change(w.t, &file, &config)
	}
	dir := w.t.TempDir()
	for name, content := range map[string]any{"rules.yaml": file, "prometheus.yaml": config} {
		text, err := yaml.Marshal(content)
		if err != nil {
			w.t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	listen := w.address()
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
	w.api = "http://" + listen
	w.await("Prometheus scrapes all", func() bool { return len(w.query("failoverd_build_info")) == len(w.regions) })
}

// A sample is one of an instant vector, by its labels.
type sample struct {
	Metric map[string]string `json:"metric"`
	Value  [2]any            `json:"value"` // the time, and the value as text
}

// query asks Prometheus; nothing comes from one that does not answer yet.
func (w *world) query(expr string) []sample {
	var body struct {
		Status, Error string
		Data          struct{ Result []sample }
	}
	if w.get("/api/v1/query?query="+url.QueryEscape(expr), &body) && body.Status != "success" {
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
