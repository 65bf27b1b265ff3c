package config

import (
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/validation"
)

// The sources of readings of GPUs, as gpu.source names them.
const (
	GPUSourceDCGM     = "dcgm"          // NVIDIA's DCGM, by its library
	GPUSourceExporter = "dcgm-exporter" // the page of a dcgm-exporter
	GPUSourceNone     = "none"          // nobody looks
)

// GPUSources are the values of gpu.source.
var GPUSources = []string{GPUSourceDCGM, GPUSourceExporter, GPUSourceNone}

// GPU says whose GPUs are watched, and how.
type GPU struct {
	Enabled      bool     `yaml:"enabled" json:"enabled"`
	Source       string   `yaml:"source" json:"source"`               // one of GPUSources
	HostEngine   string   `yaml:"host_engine" json:"host_engine"`     // with GPUSourceDCGM: host:port or the path of a unix socket; empty: one in this process
	Exporter     string   `yaml:"exporter" json:"exporter"`           // with GPUSourceExporter: the page's URL
	Node         string   `yaml:"node" json:"node"`                   // of Kubernetes, whose GPUs they are; empty: this host's name
	PollInterval Duration `yaml:"poll_interval" json:"poll_interval"` // between readings
	Evict        *Evict   `yaml:"evict,omitempty" json:"evict,omitempty"`
}

// Evict says which pods are evicted from GPUs, and how; nil in GPU: none.
type Evict struct {
	Selector    string   `yaml:"selector" json:"selector"`         // of labels; empty: all pods that ask for a GPU
	MaxPriority int      `yaml:"max_priority" json:"max_priority"` // pods of a higher one are left
	GracePeriod Duration `yaml:"grace_period" json:"grace_period"` // that a pod has to end
	Order       string   `yaml:"order" json:"order"`               // EvictLowestFirst
	Budget      int      `yaml:"budget" json:"budget"`             // GPUs that pods may have altogether after un-cordoning; 0: any number
}

// EvictLowestFirst is the order of evictions: pods of the lowest priority go first.
const EvictLowestFirst = "lowest-priority-first"

// DefaultGPU returns the section of a file that sets nothing in it but enabled.
func DefaultGPU() *GPU {
	return &GPU{Source: GPUSourceDCGM, PollInterval: Duration(time.Second)}
}

// DefaultEvict returns the section of a file that sets nothing in it.
func DefaultEvict() *Evict {
	return &Evict{MaxPriority: 1000, GracePeriod: Duration(30 * time.Second), Order: EvictLowestFirst}
}

// Watches reports whether GPUs are watched.
func (g *GPU) Watches() bool { return g != nil && g.Enabled && g.Source != GPUSourceNone }

// Evicts reports whether pods are evicted from GPUs.
func (g *GPU) Evicts() bool { return g != nil && g.Enabled && g.Evict != nil }

// gpu checks the section, if there is one.
func (v *validator) gpu() {
	g := v.c.GPU
	if g == nil {
		return
	}
	v.choice("gpu.source", g.Source, GPUSources)
	v.must(g.HostEngine == "" || g.Source == GPUSourceDCGM, "gpu.host_engine", "found with source %s, which does not ask it; expected it only with source %s", g.Source, GPUSourceDCGM)
	v.must(g.Exporter == "" || g.Source == GPUSourceExporter, "gpu.exporter", "found with source %s, which does not ask it; expected it only with source %s", g.Source, GPUSourceExporter)
	if g.HostEngine != "" {
		v.text("gpu.host_engine", g.HostEngine, func(s string) bool { return isAbs(s) || isHostPort(s) })
	}
	if g.Source == GPUSourceExporter {
		v.text("gpu.exporter", g.Exporter, isURL)
	}
	if g.Node != "" {
		v.text("gpu.node", g.Node, func(s string) bool { return len(validation.IsDNS1123Subdomain(s)) == 0 })
	}
	const least, most = Duration(100 * time.Millisecond), Duration(time.Minute)
	v.must(g.PollInterval >= least && g.PollInterval <= most, "gpu.poll_interval", "found %v, expected %v to %v", g.PollInterval, least, most)
	if e := g.Evict; e != nil {
		v.evict(e)
	}
}

func (v *validator) evict(e *Evict) {
	if e.Selector != "" {
		v.text("gpu.evict.selector", e.Selector, func(s string) bool {
			_, err := labels.Parse(s)
			return err == nil
		})
	}
	const limit = 1_000_000_000 // of the priorities that Kubernetes leaves to users
	v.must(e.MaxPriority >= -limit && e.MaxPriority <= limit, "gpu.evict.max_priority", "found %d, expected %d to %d: what is above is the system's", e.MaxPriority, -limit, limit)
	// Less than a second would be sent as 0, which kills at once.
	v.must(e.GracePeriod >= Duration(time.Second), "gpu.evict.grace_period", "found %v, expected at least 1s", e.GracePeriod)
	v.must(e.Budget >= 0, "gpu.evict.budget", "found %d, expected a number of GPUs, or 0 for any", e.Budget)
	v.choice("gpu.evict.order", e.Order, []string{EvictLowestFirst})
}
