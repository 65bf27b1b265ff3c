package probe

import (
	"context"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/layers/cilium"
	"github.com/openova-io/failoverd/layers/kube"
)

var (
	nodes    = schema.GroupVersionResource{Version: "v1", Resource: "nodes"}
	gateways = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "gateways"}
	clusters = schema.GroupVersionResource{Group: "postgresql.cnpg.io", Version: "v1", Resource: "clusters"}
)

// Permissions are what the daemon has to be allowed for the probes of these kinds.
func Permissions(kinds ...health.Kind) (all []kube.Permission) {
	for _, k := range kinds {
		switch k {
		case health.NodesReady, health.APILatency:
			all = append(all, kube.Permission{Resource: nodes.Resource, Verbs: []string{"list"}})
		case health.Gateway:
			all = append(all, kube.Permission{Group: gateways.Group, Resource: gateways.Resource, Verbs: []string{"get"}})
		case health.CNPG:
			all = append(all, kube.Permission{Group: clusters.Group, Resource: clusters.Resource, Verbs: []string{"get"}})
		}
	}
	return all
}

// NodesReady wants a share of the nodes to be ready. An API server that does not answer says nothing about them: that is
// for APILatency.
func NodesReady(client *kube.Client, share float64) func(context.Context) (health.Verdict, string) {
	return func(ctx context.Context) (health.Verdict, string) {
		list, err := client.Resource(nodes).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			return health.Unknown, err.Error()
		}
		ready := 0
		for i := range list.Items {
			if condition(&list.Items[i], "Ready") == "True" {
				ready++
			}
		}
		detail := fmt.Sprintf("%d of %d nodes are ready", ready, len(list.Items))
		switch {
		case len(list.Items) == 0:
			return health.Unknown, "there are no nodes"
		case float64(ready) < share*float64(len(list.Items)):
			return health.Ill, detail
		}
		return health.Well, detail
	}
}

// APILatency wants the API server to answer within a time.
func APILatency(client *kube.Client, within time.Duration) func(context.Context) (health.Verdict, string) {
	return func(ctx context.Context) (health.Verdict, string) {
		begun := time.Now()
		_, err := client.Resource(nodes).List(ctx, metav1.ListOptions{Limit: 1})
		took := time.Since(begun).Round(time.Millisecond)
		switch {
		case apierrors.IsForbidden(err), apierrors.IsUnauthorized(err): // it answers
		case err != nil:
			return health.Ill, err.Error()
		}
		if took > within {
			return health.Ill, fmt.Sprintf("the API server took %v to answer", took)
		}
		return health.Well, fmt.Sprintf("answered after %v", took)
	}
}

// GatewayProgrammed wants a Gateway, namespace/name, to be programmed.
func GatewayProgrammed(client *kube.Client, object string) func(context.Context) (health.Verdict, string) {
	return one(client, gateways, object, func(o *unstructured.Unstructured) (health.Verdict, string) {
		switch programmed := condition(o, "Programmed"); programmed {
		case "True":
			return health.Well, "programmed"
		case "False":
			return health.Ill, "it is not programmed"
		default:
			return health.Unknown, "nothing says whether it is programmed"
		}
	})
}

// CNPGHealthy wants a Cluster, namespace/name, to have an instance that is ready. One that is stopped on purpose says
// nothing: a region that is fenced is not ill for it.
func CNPGHealthy(client *kube.Client, object string) func(context.Context) (health.Verdict, string) {
	return one(client, clusters, object, func(o *unstructured.Unstructured) (health.Verdict, string) {
		phase, _, _ := unstructured.NestedString(o.Object, "status", "phase")
		ready, _, _ := unstructured.NestedInt64(o.Object, "status", "readyInstances")
		for _, key := range []string{"cnpg.io/fencedInstances", "cnpg.io/hibernation"} {
			if _, stopped := o.GetAnnotations()[key]; stopped {
				return health.Unknown, "it is stopped by its annotation " + key
			}
		}
		if ready == 0 {
			return health.Ill, fmt.Sprintf("no instance is ready (%s)", phase)
		}
		return health.Well, fmt.Sprintf("%d instances are ready (%s)", ready, phase)
	})
}

// one looks at one object. One that is missing is ill: it is named because it is needed.
func one(client *kube.Client, kind schema.GroupVersionResource, object string, look func(*unstructured.Unstructured) (health.Verdict, string)) func(context.Context) (health.Verdict, string) {
	namespace, name, _ := strings.Cut(object, "/")
	return func(ctx context.Context) (health.Verdict, string) {
		o, err := client.Resource(kind).Namespace(namespace).Get(ctx, name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return health.Ill, err.Error()
		case err != nil:
			return health.Unknown, err.Error()
		}
		return look(o)
	}
}

// condition is the status of a condition; empty if it is not there.
func condition(o *unstructured.Unstructured, kind string) string {
	conditions, _, _ := unstructured.NestedFieldNoCopy(o.Object, "status", "conditions")
	list, _ := conditions.([]any)
	for _, e := range list {
		if c, ok := e.(map[string]any); ok && c["type"] == kind {
			status, _ := c["status"].(string)
			return status
		}
	}
	return ""
}

// CiliumAgent asks this node's Cilium agent, by its socket, how it and its cluster mesh are.
func CiliumAgent(socket string) func(context.Context) (health.Verdict, string) {
	return func(ctx context.Context) (health.Verdict, string) {
		return judge("ok", cilium.Health(ctx, socket))
	}
}
