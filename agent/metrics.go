package agent

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/openova-io/failoverd/agent/applier"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/quorum"
)

// metrics are the Prometheus metrics of one agent. Counters and histograms are
// moved as things happen; what describes the present is read from the snapshot
// at each scrape, so that it can't be stale.
type metrics struct {
	registry *prometheus.Registry

	renewals    *prometheus.CounterVec
	witnessTime *prometheus.HistogramVec
	applyTime   *prometheus.HistogramVec
	transitions *prometheus.CounterVec
	lastChange  prometheus.Gauge
	failover    prometheus.Histogram
	splitBrain  prometheus.Counter
	answers     *prometheus.CounterVec
}

func newMetrics(a *Agent) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		renewals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "failoverd_lease_renewals_total",
			Help: "Writes of the own flag, by outcome: acked, or why it is unknown.",
		}, []string{"outcome"}),
		witnessTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "failoverd_witness_request_duration_seconds",
			Help:    "Time of calls of the witness, by call; a round reads all members at once.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
		}, []string{"call"}),
		applyTime: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "failoverd_layer_apply_duration_seconds",
			Help:    "Time of one attempt to apply an action to a layer.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30},
		}, []string{"layer", "action"}),
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "failoverd_transitions_total",
			Help: "Changes of state, by the new state and the reason.",
		}, []string{"to", "reason"}),
		lastChange: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "failoverd_last_transition_timestamp_seconds",
			Help: "Wall clock time of the last change of state.",
		}),
		failover: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "failoverd_failover_duration_seconds",
			Help:    "Time from the last sign of life of the region that was taken over from until the own layers were active.",
			Buckets: []float64{1, 2, 5, 10, 20, 30, 45, 60, 90, 120, 180, 300, 600},
		}),
		splitBrain: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "failoverd_split_brain_detected_total",
			Help: "Times that another region was seen active while this one held authority. Anything but 0 is an alarm.",
		}),
	}
	m.answers = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "failoverd_quorum_answers_total",
		Help: "Questions to a peer, by the resolver and what became of it: agreed, differs, silent, servfail, unsigned, bad_signature or replayed.",
	}, []string{"resolver", "peer", "outcome"})
	for _, why := range []lease.ReasonCode{lease.ReasonRenewalLate, lease.ReasonAuthorityExpired} {
		m.transitions.WithLabelValues(string(lease.Fencing), string(why)) // an alert is for the first one too, which increase() does not see in a series that begins with it
	}
	build := prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "failoverd_build_info", Help: "1, by version.",
	}, []string{"version"})
	build.WithLabelValues(a.cfg.Version).Set(1)
	m.registry.MustRegister(m.renewals, m.witnessTime, m.applyTime, m.transitions, m.lastChange, m.failover, m.splitBrain, m.answers, build,
		present{a}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Register adds the metrics of something else that this process does to the
// agent's page.
func (a *Agent) Register(c prometheus.Collector) { a.metrics.registry.MustRegister(c) }

func (m *metrics) renewal(err error) {
	outcome := "acked"
	if err != nil {
		outcome = string(witness.ClassOf(err))
	}
	m.renewals.WithLabelValues(outcome).Inc()
}

// counted counts what each resolver brought of a question.
func (m *metrics) counted(peer lease.Region, v quorum.Verdict) {
	for _, b := range v.Ballots {
		m.answers.WithLabelValues(b.Resolver, string(peer), string(b.Outcome)).Inc()
	}
}

func (m *metrics) witnessCall(call string, took time.Duration) {
	m.witnessTime.WithLabelValues(call).Observe(took.Seconds())
}

func (m *metrics) attempt(a applier.Attempt) {
	m.applyTime.WithLabelValues(a.Layer, string(a.Action)).Observe(a.Duration.Seconds())
}

func (m *metrics) notice(n lease.Notice) {
	if n.Reason == lease.ReasonSplitBrain {
		m.splitBrain.Inc()
	}
}

func (m *metrics) transition(t lease.Transition) {
	m.transitions.WithLabelValues(string(t.To), string(t.Reason)).Inc()
	m.lastChange.SetToCurrentTime()
}
