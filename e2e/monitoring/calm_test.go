package monitoring_test

import (
	"flag"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/openova-io/failoverd/e2e/daemon"
)

var calm = flag.Duration("calm", time.Minute, "TestCalm: for `how long` nothing happens, at least 30s: rules are evaluated every 15")

// TestCalm has Prometheus watch three agents to which nothing happens, all with the times and the rules as shipped: no alert fires, and
// none that waits for its `for` goes on to.
func TestCalm(t *testing.T) {
	t.Parallel()
	if *calm < 30*time.Second {
		t.Fatalf("-calm %v is too short to tell anything", *calm)
	}
	w := newWorld(t, daemon.DefaultTimes("fsn", "hel", "nbg"), "probes: [{name: gateway, http: %q}]")
	w.settle()
	w.watch(nil)
	began := time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for since := func() string { return fmt.Sprintf("%ds", 1+int(time.Since(began).Seconds())) }; ; <-tick.C {
		if fired := w.firing(since()); len(fired) > 0 {
			t.Fatalf("in calm, after %s, %q fired", since(), fired)
		}
		if time.Since(began) > *calm && len(w.query(`ALERTS`)) == 0 {
			break
		}
	}
	for _, s := range w.query(fmt.Sprintf(`count_over_time(ALERTS[%ds])`, 1+int(time.Since(began).Seconds()))) {
		t.Logf("%s of %s was pending at %s evaluations", s.Metric["alertname"], s.Metric["failover_region"], s.Value[1])
	}
	if w.counted("prometheus_rule_evaluation_failures_total") != 0 || w.counted("prometheus_rule_group_iterations_missed_total") != 0 {
		t.Error("Prometheus could not evaluate all rules")
	}
	evaluations := w.counted("prometheus_rule_evaluations_total")
	if least := float64(len(rules(t))) * calm.Seconds() / 15 * 0.9; evaluations < least {
		t.Errorf("%v evaluations of rules, want at least %v", evaluations, least)
	}
	t.Logf("in %v: %v evaluations of %d rules; 0 alerts fired", time.Since(began).Round(time.Second), evaluations, len(rules(t)))
}

// counted is the sum of a counter of Prometheus's own.
func (w *world) counted(name string) (sum float64) {
	w.t.Helper()
	resp, err := http.Get(w.api + "/metrics")
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil || families[name] == nil {
		w.t.Fatalf("Prometheus counts no %s: %v", name, err)
	}
	for _, m := range families[name].GetMetric() {
		sum += m.GetCounter().GetValue()
	}
	return sum
}
