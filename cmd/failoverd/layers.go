package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/board"
	"github.com/openova-io/failoverd/agent/mirror"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/cilium"
	"github.com/openova-io/failoverd/layers/cnpg"
	"github.com/openova-io/failoverd/layers/hook"
	"github.com/openova-io/failoverd/layers/httproute"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/layers/strimzi"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// applied is what the daemon applies its decision to.
type applied struct {
	layers  []layers.Layer
	cluster *kube.Client   // nil if nothing needs one
	mirror  *mirror.Mirror // nil without a cluster
	board   *board.Board   // nil if no layer has anything to tell others
}

// buildLayers makes the layers that the configuration names, and what they need. It asks
// nobody yet.
func buildLayers(cfg *config.Config, w witness.Several, log hclog.Logger) (a applied, err error) {
	if cfg.NeedsCluster() {
		if a.cluster, err = kube.Connect(cfg.Kubernetes.Kubeconfig, version); err != nil {
			return applied{}, err
		}
		a.mirror = mirror.New(mirror.Config{
			Client: a.cluster, Namespace: kube.Namespace(cfg.Kubernetes.Namespace), Params: cfg.Params(), Log: log,
		})
		a.cluster.Recorder = a.mirror
	}
	if cfg.Layers.NeedsBoard() {
		a.board = board.New(board.Config{
			Store: w, Others: slices.DeleteFunc(slices.Clone(cfg.Members), func(r lease.Region) bool { return r == cfg.Region }),
			Now: agent.BootClock{}.Now, Log: log,
			Every: time.Duration(cfg.Lease.RenewInterval), Soon: time.Duration(cfg.Lease.RetryInterval), Timeout: time.Duration(cfg.Lease.RequestTimeout),
		})
	}
	byCluster, err := clusterLayers(cfg, a.cluster, a.board)
	if err != nil {
		return applied{}, err
	}
	for _, l := range byCluster {
		a.layers = append(a.layers, l)
	}
	for _, h := range cfg.Layers.Hooks {
		layer, err := hook.New(hook.Config{Group: cfg.Group, Region: cfg.Region, Name: h.Name, Activate: h.Activate, Fence: h.Fence, Observe: h.Observe})
		if err != nil {
			return applied{}, fmt.Errorf("layers.hooks: %w", err)
		}
		a.layers = append(a.layers, layer)
	}
	return a, nil
}

// clusterLayers makes the layers that act on a cluster.
func clusterLayers(cfg *config.Config, cluster *kube.Client, notes layers.Board) (out []kube.Permitted, err error) {
	if c := cfg.Layers.HTTPRoute; c != nil {
		out = append(out, httproute.New(cluster, httproute.Config{
			Selector: c.Selector, Namespaces: c.Namespaces, GatewayDelay: time.Duration(c.GatewayDelay),
		}))
	}
	if c := cfg.Layers.Cilium; c != nil {
		l, err := cilium.New(cluster, cilium.Config{
			Group: cfg.Group, Selector: c.Selector, Namespaces: c.Namespaces, Socket: c.Socket, StaticPolicies: c.StaticPolicies,
		})
		if err != nil {
			return nil, fmt.Errorf("layers.cilium: %w", err)
		}
		out = append(out, l)
	}
	if c := cfg.Layers.CNPG; c != nil {
		p := cfg.Params()
		l, err := cnpg.New(cluster, notes, cnpg.Config{
			Selector: c.Selector, Namespaces: c.Namespaces, MaxLag: uint64(c.MaxLag),
			// Whoever tells nothing new for as long as a lease may hide does not live.
			Silence: p.Longer(p.TTL + p.Staleness), FenceTimeout: p.FenceTimeout,
		})
		if err != nil {
			return nil, fmt.Errorf("layers.cnpg: %w", err)
		}
		out = append(out, l)
	}
	if c := cfg.Layers.Strimzi; c != nil {
		out = append(out, strimzi.New(cluster, notes, strimzi.Config{Selector: c.Selector, Namespaces: c.Namespaces}))
	}
	return out, nil
}

// mirrorPermissions are what the daemon has to be allowed to show its state in a namespace,
// and Events wherever its layers act.
func mirrorPermissions(cfg *config.Config, namespace string) []kube.Permission {
	var objects []config.Objects
	l := cfg.Layers
	if l.HTTPRoute != nil {
		objects = append(objects, l.HTTPRoute.Objects)
	}
	if l.Cilium != nil {
		objects = append(objects, l.Cilium.Objects)
	}
	if l.CNPG != nil {
		objects = append(objects, l.CNPG.Objects)
	}
	if l.Strimzi != nil {
		objects = append(objects, *l.Strimzi)
	}
	others := []string{namespace}
	for _, o := range objects {
		if len(o.Namespaces) == 0 {
			return mirror.Permissions(namespace, nil)
		}
		others = append(others, o.Namespaces...)
	}
	if l.Cilium != nil {
		others = append(others, metav1.NamespaceDefault) // its policy has no namespace; Events about such objects are there
	}
	return mirror.Permissions(namespace, others)
}
