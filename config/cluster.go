package config

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"
)

// Kubernetes is the cluster whose objects layers act on, and in which the daemon shows
// its state.
type Kubernetes struct {
	Kubeconfig string `yaml:"kubeconfig" json:"kubeconfig"` // empty: the service account of the pod that the daemon runs in
	Namespace  string `yaml:"namespace" json:"namespace"`   // of the daemon's own Lease; empty: that of the pod, or failoverd where it runs in none
	Commands   bool   `yaml:"commands" json:"commands"`     // an annotation of that Lease commands
}

// NeedsCluster reports whether anything that is configured needs a cluster: a layer, a
// probe, the choice among instances, or the section kubernetes itself, for the Lease and the Events that are shown there.
func (c *Config) NeedsCluster() bool {
	return c.Layers.NeedsCluster() || c.Health.NeedsCluster() || c.GPU.Evicts() || c.Instances != nil || c.Kubernetes != (Kubernetes{})
}

// Instances says that the region has several agents, one of which acts for it.
type Instances struct {
	TermDuration Duration `yaml:"term_duration" json:"term_duration"`                 // that one is not replaced after its last sign of life
	DNSService   string   `yaml:"dns_service,omitempty" json:"dns_service,omitempty"` // by which resolvers reach it, where all are pods; empty: they know the address of each
}

// DefaultInstances returns the section of a file that sets nothing in it.
func DefaultInstances() *Instances { return &Instances{TermDuration: Duration(4 * time.Second)} }

// Objects are those of a cluster that a layer acts on.
type Objects struct {
	Selector   string   `yaml:"selector" json:"selector"`                         // of labels, as kubectl's -l takes it
	Namespaces []string `yaml:"namespaces,omitempty" json:"namespaces,omitempty"` // none: all
}

// HTTPRoute are the routes that are pointed elsewhere.
type HTTPRoute struct {
	Objects      `yaml:",inline"`
	GatewayDelay Duration `yaml:"gateway_delay" json:"gateway_delay"` // that the gateway takes to act on a changed route, at most
}

// DefaultHTTPRoute returns the section of a file that sets nothing in it but selector.
// The delay is that of Traefik, the slowest that is known.
func DefaultHTTPRoute() *HTTPRoute { return &HTTPRoute{GatewayDelay: Duration(2 * time.Second)} }

// Cilium are the Services and pods that are steered and fenced.
type Cilium struct {
	Objects        `yaml:",inline"`
	Socket         string `yaml:"socket" json:"socket"`                                       // of the Cilium agent of this node; empty: it is not asked
	StaticPolicies string `yaml:"static_policies,omitempty" json:"static_policies,omitempty"` // the agent's --static-cnp-path; empty: none
}

// DefaultCilium returns the section of a file that sets nothing in it but selector.
func DefaultCilium() *Cilium { return &Cilium{Socket: "/var/run/cilium/cilium.sock"} }

// CNPG are the Clusters that are promoted and demoted.
type CNPG struct {
	Objects `yaml:",inline"`
	MaxLag  Size `yaml:"max_lag" json:"max_lag"` // that a promotion may lose without being asked
}

// DefaultCNPG returns the section of a file that sets nothing in it but selector.
func DefaultCNPG() *CNPG { return &CNPG{MaxLag: 16 << 20} }

// NeedsCluster reports whether any layer acts on objects of a cluster.
func (l Layers) NeedsCluster() bool {
	return l.HTTPRoute != nil || l.Cilium != nil || l.CNPG != nil || l.Strimzi != nil
}

// NeedsBoard reports whether any layer tells its like in other regions something.
func (l Layers) NeedsBoard() bool { return l.CNPG != nil || l.Strimzi != nil }

// objects checks the section of a layer, if there is one.
func (v *validator) objects(section string, o *Objects) {
	if o == nil {
		return
	}
	// A selector that is empty would take everything in the cluster, which is no wish
	// but a slip.
	v.text(section+".selector", o.Selector, func(s string) bool {
		selector, err := labels.Parse(s)
		return err == nil && !selector.Empty()
	})
	for i, ns := range o.Namespaces {
		at := fmt.Sprintf("%s.namespaces[%d]", section, i)
		v.text(at, ns, isLabel)
		v.must(!slices.Contains(o.Namespaces[:i], ns), at, "found %s, which is in the list twice", quote(ns))
	}
}

// clusterLayers checks the sections of the layers that act on a cluster.
func (v *validator) clusterLayers() {
	l := v.c.Layers
	if c := l.HTTPRoute; c != nil {
		v.objects("layers.httproute", &c.Objects)
		v.must(c.GatewayDelay >= 0 && c.GatewayDelay < v.c.Lease.FenceTimeout, "layers.httproute.gateway_delay",
			"found %v, expected it to be 0s or more and below lease.fence_timeout, %v", c.GatewayDelay, v.c.Lease.FenceTimeout)
	}
	if c := l.Cilium; c != nil {
		v.objects("layers.cilium", &c.Objects)
		v.optionalPath("layers.cilium.socket", c.Socket)
		v.optionalPath("layers.cilium.static_policies", c.StaticPolicies)
	}
	if c := l.CNPG; c != nil {
		v.objects("layers.cnpg", &c.Objects)
	}
	v.objects("layers.strimzi", l.Strimzi)
}

func (v *validator) kubernetes() {
	v.optionalPath("kubernetes.kubeconfig", v.c.Kubernetes.Kubeconfig)
	if ns := v.c.Kubernetes.Namespace; ns != "" {
		v.text("kubernetes.namespace", ns, isLabel)
	}
}

// optionalPath checks a path that may be empty.
func (v *validator) optionalPath(at, path string) {
	if path != "" {
		v.text(at, path, isAbs)
	}
}
