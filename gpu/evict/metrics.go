package evict

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openova-io/failoverd/gpu"
)

// metrics count evictions. Labels name no pod and no node: there may be thousands.
type metrics struct {
	evictions *prometheus.CounterVec
	blocked   prometheus.Gauge
	cordoned  prometheus.Gauge
	gates     *prometheus.GaugeVec
	stopped   *prometheus.GaugeVec
}

func newMetrics() *metrics {
	return &metrics{
		evictions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "failoverd_gpu_evictions_total",
			Help: "Evictions of pods from GPUs that were asked for, by outcome: evicted, blocked (by a disruption budget; tried again later), gone (before that), error.",
		}, []string{"outcome"}),
		blocked: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "failoverd_gpu_pods_blocked",
			Help: "Pods that are to leave GPUs, and whose eviction was refused so far.",
		}),
		cordoned: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "failoverd_gpu_nodes_cordoned",
			Help: "Nodes that bear a cordon of the daemon's.",
		}),
		gates: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "failoverd_gpu_uncordon_gates_closed",
			Help: "Cordoned nodes of which a gate of un-cordoning is closed, by gate.",
		}, []string{"gate"}),
		stopped: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "failoverd_gpu_objects_stopped",
			Help: "Objects that the daemon has kept from bringing pods to GPUs, by kind.",
		}, []string{"kind"}),
	}
}

// report takes in what a pass has found.
func (m *metrics) report(r gpu.Report) {
	cordoned := 0
	closed := map[gpu.GateCode]int{gpu.GateRecovered: 0, gpu.GateBudget: 0}
	for _, n := range r.Nodes {
		if n.Ours() {
			cordoned++
		}
		for _, g := range n.Gates {
			if !g.Open {
				closed[g.Code]++
			}
		}
	}
	stopped := map[string]int{}
	for _, s := range r.Stopped {
		stopped[s.Kind]++
	}
	for _, k := range kinds {
		m.stopped.WithLabelValues(k.resource).Set(float64(stopped[k.String()]))
	}
	m.cordoned.Set(float64(cordoned))
	m.blocked.Set(float64(len(r.Blocked)))
	for code, n := range closed {
		m.gates.WithLabelValues(string(code)).Set(float64(n))
	}
}

// Describe and Collect make an Evictor a collector.
func (e *Evictor) Describe(ch chan<- *prometheus.Desc) {
	for _, c := range e.metrics.all() {
		c.Describe(ch)
	}
}

func (e *Evictor) Collect(ch chan<- prometheus.Metric) {
	for _, c := range e.metrics.all() {
		c.Collect(ch)
	}
}

func (m *metrics) all() []prometheus.Collector {
	return []prometheus.Collector{m.evictions, m.blocked, m.cordoned, m.gates, m.stopped}
}
