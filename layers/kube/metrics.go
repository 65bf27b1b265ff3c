package kube

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what the layers of a cluster write. Labels name the kind of object,
// never the object: there may be thousands.
type Metrics struct {
	writes *prometheus.CounterVec
	drift  *prometheus.CounterVec
	left   *prometheus.GaugeVec
}

func newMetrics() *Metrics {
	return &Metrics{
		writes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "failoverd_kube_writes_total",
			Help: "Writes of objects of the cluster, by resource and outcome: ok, conflict (read again and edited anew), error.",
		}, []string{"resource", "outcome"}),
		drift: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "failoverd_kube_drift_total",
			Help: "Objects that others changed from what an order had made them, which was put back.",
		}, []string{"resource"}),
		left: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "failoverd_kube_objects_left",
			Help: "Objects that the last attempt of an order could not make what they are to be.",
		}, []string{"resource"}),
	}
}

// Describe and Collect make Metrics a collector.
func (m *Metrics) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range m.all() {
		c.Describe(ch)
	}
}

func (m *Metrics) Collect(ch chan<- prometheus.Metric) {
	for _, c := range m.all() {
		c.Collect(ch)
	}
}

func (m *Metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.writes, m.drift, m.left}
}
