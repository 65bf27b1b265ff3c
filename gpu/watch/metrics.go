package watch

import (
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/openova-io/failoverd/gpu"
)

var (
	descUp        = prometheus.NewDesc("failoverd_gpu_source_up", "1 if the last reading of the GPUs' source did not fail.", []string{"source"}, nil)
	descCondition = prometheus.NewDesc("failoverd_gpu_condition", "1 for the condition of a GPU: healthy, unhealthy or unknown.", []string{"gpu", "node", "condition"}, nil)
	descUnhealthy = prometheus.NewDesc("failoverd_gpu_unhealthy", "1 for a cause for which a GPU is unhealthy. All 0: it is healthy, or unknown.", []string{"gpu", "cause"}, nil)
)

// Describe sends no descriptions: the series depend on the GPUs.
func (*Watch) Describe(chan<- *prometheus.Desc) {}

// Collect reads what was found last.
func (w *Watch) Collect(out chan<- prometheus.Metric) {
	gauge := func(desc *prometheus.Desc, is bool, labels ...string) {
		value := 0.0
		if is {
			value = 1
		}
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
	}
	f := w.Found()
	gauge(descUp, f.Asked && f.Trouble == "", f.Source)
	for _, s := range f.States {
		for _, c := range gpu.Conditions {
			gauge(descCondition, s.Condition == c, s.UUID, strings.ToValidUTF8(s.Node, "?"), string(c))
		}
		for _, c := range gpu.Causes {
			gauge(descUnhealthy, s.Has(c), s.UUID, string(c))
		}
	}
}
