package monitoring_test

import (
	"context"
	"encoding/json"
	"flag"
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

// faster is by how much the rules' durations are shorter here than as shipped.
const faster = 15

// TestMain has all worlds run at once, however few cores there are: they wait, most of the time.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "3"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

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
	regions []*region     // or instances of one

	api        string // of Prometheus
	prometheus *daemon.Process
	config     prometheusConfig
	configFile string
}

// quick are times with which a fault shows within seconds, and quickHealth the same for a probe.
var quick = daemon.ShortTimes("fsn", "hel", "nbg")

const quickHealth = "degraded_after: 2s, recovered_after: 2s, probes: [{name: gateway, http: %q, interval: 500ms, timeout: 400ms}]"

// newWorld is a group that runs, and that nobody watches yet. In health there is room for the address of the page that is probed.
func newWorld(t *testing.T, params lease.Params, health string) *world {
	t.Helper()
	w := &world{t: t}
	lab := resolvers.Start(t, params.Members)
	w.address = lab.Address
	quorum := lab.Quorum(params.RequestTimeout * 3 / 4)
	for _, m := range params.Members {
		quorum.Listen[m] = lab.Address()
		w.regions = append(w.regions, &region{door: lab.NewMeddler(t, lab.Region(m), quorum.Listen[m])})
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
		if r.For == "" {
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
	readYAML(w.t, deployed+"/prometheus.yaml", &w.config)
	w.config.Scrape[0].Static = nil
	for _, r := range w.regions {
		w.config.Scrape[0].Static = append(w.config.Scrape[0].Static,
			target{[]string{r.Address()}, map[string]string{"failover_group": daemon.GroupName, "failover_region": string(r.Name)}})
	}
	if change != nil {
		change(w.t, &file, &w.config)
	}
	dir, listen := w.t.TempDir(), w.address()
	w.configFile = filepath.Join(dir, "prometheus.yaml")
	writeYAML(w.t, filepath.Join(dir, "rules.yaml"), file)
	writeYAML(w.t, w.configFile, w.config)
	var err error
	w.prometheus, err = daemon.StartProcess(program(w.t, "prometheus"), "--config.file="+w.configFile,
		"--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address="+listen, "--log.level=warn")
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.prometheus.CleanUp(w.t, "Prometheus") })
	w.api = "http://" + listen
	w.await("Prometheus scrapes all", func() bool { return len(w.query("failoverd_build_info")) == len(w.regions) })
}

// rescrape has Prometheus scrape one more target.
func (w *world) rescrape(more target) {
	w.t.Helper()
	w.config.Scrape[0].Static = append(w.config.Scrape[0].Static, more)
	writeYAML(w.t, w.configFile, w.config)
	if err := w.prometheus.Reload(); err != nil {
		w.t.Fatal(err)
	}
}

func writeYAML(t *testing.T, path string, content any) {
	t.Helper()
	text, err := yaml.Marshal(content)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
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
	daemon.Await(w.t, what, holds, func() string { return fmt.Sprintf("firing: %q", w.firing("")) })
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
		var whole bool
		holder, standbys, whole = daemon.Whole(w.t.Context(), w.regions)
		return whole
	})
	return holder, standbys
}
