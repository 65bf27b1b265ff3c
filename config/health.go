package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/openova-io/failoverd/health"
)

// Health says when the region is degraded, and how often it hands over for that.
type Health struct {
	DegradedAfter  Duration `yaml:"degraded_after" json:"degraded_after"`   // that one probe alone finds something ill
	RecoveredAfter Duration `yaml:"recovered_after" json:"recovered_after"` // that none does
	MaxHandOvers   int      `yaml:"max_handovers" json:"max_handovers"`     // within HandOverWindow; 0: none
	HandOverWindow Duration `yaml:"handover_window" json:"handover_window"`
	Probes         []Probe  `yaml:"probes" json:"probes"`
}

// A Probe is one signal. One of the fields after Timeout says what it looks at.
type Probe struct {
	Name     string   `yaml:"name" json:"name"`
	Interval Duration `yaml:"interval" json:"interval"`
	Timeout  Duration `yaml:"timeout" json:"timeout"`

	HTTP       string   `yaml:"http,omitempty" json:"http,omitempty"`                                     // a URL
	TCP        string   `yaml:"tcp,omitempty" json:"tcp,omitempty"`                                       // host:port
	DNS        string   `yaml:"dns,omitempty" json:"dns,omitempty"`                                       // name@host:port
	NodesReady Percent  `yaml:"kubernetes_nodes_ready,omitempty" json:"kubernetes_nodes_ready,omitempty"` // share of the nodes
	APILatency Duration `yaml:"kubernetes_api_latency,omitempty" json:"kubernetes_api_latency,omitempty"` // of the API server's answer
	Gateway    string   `yaml:"gateway,omitempty" json:"gateway,omitempty"`                               // namespace/name
	CNPG       string   `yaml:"cnpg,omitempty" json:"cnpg,omitempty"`                                     // namespace/name
	Cilium     string   `yaml:"cilium,omitempty" json:"cilium,omitempty"`                                 // the socket of its agent
	GPUs       Percent  `yaml:"gpus_healthy,omitempty" json:"gpus_healthy,omitempty"`                     // share of those that are watched
}

// DefaultHealth returns the section of a file that sets nothing in it but probes.
func DefaultHealth() *Health {
	return &Health{
		DegradedAfter: Duration(30 * time.Second), RecoveredAfter: Duration(5 * time.Minute),
		MaxHandOvers: 2, HandOverWindow: Duration(time.Hour),
	}
}

// DefaultProbe returns a probe that looks at nothing yet.
func DefaultProbe() Probe {
	return Probe{Interval: Duration(5 * time.Second), Timeout: Duration(2 * time.Second)}
}

// Kinds are what the probe looks at: one, in a configuration that is valid.
func (p Probe) Kinds() (kinds []health.Kind) {
	for _, k := range []struct {
		kind health.Kind
		set  bool
	}{
		{health.HTTP, p.HTTP != ""}, {health.TCP, p.TCP != ""}, {health.DNS, p.DNS != ""},
		{health.NodesReady, p.NodesReady != 0}, {health.APILatency, p.APILatency != 0},
		{health.Gateway, p.Gateway != ""}, {health.CNPG, p.CNPG != ""}, {health.Cilium, p.Cilium != ""},
		{health.GPUs, p.GPUs != 0},
	} {
		if k.set {
			kinds = append(kinds, k.kind)
		}
	}
	return kinds
}

// NeedsCluster reports whether the probe asks an API server.
func (p Probe) NeedsCluster() bool {
	return p.NodesReady != 0 || p.APILatency != 0 || p.Gateway != "" || p.CNPG != ""
}

// NeedsCluster reports whether any probe asks an API server.
func (h *Health) NeedsCluster() bool {
	return h != nil && slices.ContainsFunc(h.Probes, Probe.NeedsCluster)
}

// health checks the section, if there is one.
func (v *validator) health() {
	h := v.c.Health
	if h == nil {
		return
	}
	positive := func(at string, d Duration) { v.must(d > 0, at, "found %v, expected %s", d, want(at)) }
	positive("health.degraded_after", h.DegradedAfter)
	positive("health.recovered_after", h.RecoveredAfter)
	v.must(len(h.Probes) > 0, "health.probes", "missing, expected %s", want("health.probes"))
	for i, p := range h.Probes {
		at := fmt.Sprintf("health.probes[%d]", i)
		v.text(at+".name", p.Name, isLabel)
		if j := slices.IndexFunc(h.Probes[:i], func(o Probe) bool { return o.Name == p.Name }); j >= 0 && p.Name != "" {
			v.must(false, at+".name", "found %s, which is the name of probe %d too, expected a name of its own", quote(p.Name), j+1)
		}
		positive(at+".interval", p.Interval)
		v.must(p.Timeout > 0 && p.Timeout <= p.Interval, at+".timeout", "found %v, expected more than 0s and at most interval, %v", p.Timeout, p.Interval)
		kinds := p.Kinds()
		v.must(len(kinds) == 1, at, "looks at %d things (%v), expected %s", len(kinds), kinds, want("health.probes[]"))
		v.probeTarget(at, p)
	}
}

// probeTarget checks what a probe looks at.
func (v *validator) probeTarget(at string, p Probe) {
	check := func(key, value string, ok func(string) bool) {
		if value != "" {
			v.text(at+"."+key, value, ok)
		}
	}
	check("http", p.HTTP, isURL)
	check("tcp", p.TCP, isHostPort)
	check("dns", p.DNS, func(s string) bool {
		name, server, ok := strings.Cut(s, "@")
		return ok && name != "" && isHostPort(server)
	})
	isObject := func(s string) bool {
		namespace, name, ok := strings.Cut(s, "/")
		return ok && isLabel(namespace) && name != "" && !strings.Contains(name, "/")
	}
	check("gateway", p.Gateway, isObject)
	check("cnpg", p.CNPG, isObject)
	check("cilium", p.Cilium, isAbs)
	if p.NodesReady != 0 {
		v.must(p.NodesReady <= 1, at+".kubernetes_nodes_ready", "found %v, expected at most 100%%", p.NodesReady)
	}
	if p.GPUs != 0 {
		v.must(p.GPUs <= 1, at+".gpus_healthy", "found %v, expected at most 100%%", p.GPUs)
		v.must(v.c.GPU.Watches(), at+".gpus_healthy", "no GPU is watched, expected gpu.enabled and gpu.source to say that they are")
	}
	if p.APILatency != 0 {
		v.must(p.APILatency > 0 && p.APILatency < p.Timeout, at+".kubernetes_api_latency", "found %v, expected more than 0s and less than timeout, %v", p.APILatency, p.Timeout)
	}
}

// isURL reports whether s is the URL of a page, without a password.
func isURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

// isHostPort reports whether s is an address to connect to.
func isHostPort(s string) bool {
	host, port, err := net.SplitHostPort(s)
	return err == nil && host != "" && port != "" && isPlain(s)
}
