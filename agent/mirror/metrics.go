package mirror

import "github.com/prometheus/client_golang/prometheus"

// metrics count what is written. No label names an object: there may be thousands.
type metrics struct {
	lease  *prometheus.CounterVec
	events *prometheus.CounterVec
}

func newMetrics() *metrics {
	return &metrics{
		lease: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "failoverd_mirror_writes_total",
			Help: "Writes of the Lease that shows the state in the cluster, by outcome: ok, error.",
		}, []string{"outcome"}),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "failoverd_events_total",
			Help: "Kubernetes Events, by outcome: created, repeated (one that was there was counted up), error, dropped (the queue was full, or the agent has stopped).",
		}, []string{"outcome"}),
	}
}

func (m *metrics) leaseWritten(err error) {
	outcome := "ok"
	if err != nil {
		outcome = "error"
	}
	m.lease.WithLabelValues(outcome).Inc()
}

// Describe and Collect make a Mirror a collector of its counts.
func (m *Mirror) Describe(ch chan<- *prometheus.Desc) {
	m.metrics.lease.Describe(ch)
	m.metrics.events.Describe(ch)
}

func (m *Mirror) Collect(ch chan<- prometheus.Metric) {
	m.metrics.lease.Collect(ch)
	m.metrics.events.Collect(ch)
}
