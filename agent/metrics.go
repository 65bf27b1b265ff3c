package agent

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"github.com/openova-io/failoverd/agent/applier"
	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/layers"
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

// present collects what describes the present.
type present struct{ a *Agent }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("failoverd_"+name, help, labels, nil)
}

var (
	descState     = describe("lease_state", "1 for the state that the region is in.", "state")
	descRemaining = describe("lease_authority_remaining_seconds", "Time until authority ends unless it is renewed; 0 without authority.")
	descEpoch     = describe("lease_epoch", "Epoch of the region's authority or candidacy; 0 for neither.")
	descUp        = describe("witness_up", "1 if the last calls of the witness were answered.")
	descStaleness = describe("witness_observed_staleness_seconds", "By how much, at least, the newest read of the own flag was stale.")
	descPeer      = describe("peer_state", "1 for the state of the newest record that came from a peer: active, candidate or unknown.", "peer", "state")
	descReached   = describe("quorum_reached", "1 if the last question to a peer was answered through enough resolvers.", "peer")
	descGate      = describe("gate_open", "1 for a gate of taking that is open.", "gate")
	descDegraded  = describe("region_degraded", "1 for what degrades the region: a probe that finds something ill, or recovering when none does any more. All 0: it is not degraded.", "cause")
	descSignal    = describe("health_signal", "1 for the verdict of a probe: well, ill or unknown.", "probe", "verdict")
	descLayer     = describe("layer_state", "1 for the state that a layer is in.", "layer", "state")
)

// Describe sends no descriptions: the series depend on members and layers.
func (present) Describe(chan<- *prometheus.Desc) {}

// Collect reads the snapshot.
func (p present) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, value float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	s := p.a.Status()
	for _, name := range lease.StateNames {
		gauge(descState, truth(s.State == name), string(name))
	}
	gauge(descRemaining, s.AuthorityRemaining)
	gauge(descEpoch, float64(s.Epoch))
	gauge(descUp, truth(s.Witness.Up))
	gauge(descStaleness, s.Witness.ObservedStaleness)
	for _, peer := range s.Peers {
		for _, state := range []string{string(lease.FlagActive), string(lease.FlagCandidate), "unknown"} {
			gauge(descPeer, truth(peer.State == state), string(peer.Region), state)
		}
		if peer.Quorum != nil {
			gauge(descReached, truth(peer.Quorum.Reached), string(peer.Region))
		}
	}
	for _, g := range s.Gates {
		gauge(descGate, truth(g.Open), string(g.Code))
	}
	if h := s.Health; h != nil {
		recovering := h.Degraded
		for _, signal := range h.Signals {
			ill := h.Degraded && signal.Verdict == health.Ill
			recovering = recovering && !ill
			gauge(descDegraded, truth(ill), signal.Name)
			for _, v := range []health.Verdict{health.Well, health.Ill, health.Unknown} {
				gauge(descSignal, truth(signal.Verdict == v), signal.Name, string(v))
			}
		}
		gauge(descDegraded, truth(recovering), "recovering")
	}
	for _, l := range s.Layers {
		for _, state := range []layers.State{layers.Active, layers.Inactive, layers.Unknown} {
			gauge(descLayer, truth(l.State == state), l.Name, string(state))
		}
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
