package cilium

import (
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"

	"github.com/openova-io/failoverd/layers/kube"
)

// Labels as Cilium's policies name them: with their source.
const (
	namespaceLabel = "k8s:io.kubernetes.pod.namespace"
	clusterLabel   = "k8s:io.cilium.k8s.policy.cluster"
	databaseLabel  = "k8s:cnpg.io/cluster" // of instances and poolers of CloudNativePG
	dnsLabel       = "k8s:k8s-app"
	dns            = "kube-dns" // also CoreDNS's
)

// policyName is the name of a group's policy, and of its static file without the suffix.
func policyName(group string) string { return "failoverd-fence-" + group }

// fenceSpec is what the fence denies.
//
// To the pods: all that is not the host. Never `all`, `cluster` or `host`: an explicit
// deny beats the allow that Cilium has built in for the kubelet's probes, and the pods
// would be killed, so that nothing could be activated.
//
// From the pods: all that is outside of the region, where a fenced writer does harm: pods
// of other clusters, the world, other nodes (a NodePort of another region, or a database
// in its hosts' network) and the gateway, behind which traffic bears an identity that
// this policy does not know. A packet that answers a connection from outside is of that
// connection, and denied with it. Not denied are pods of this cluster (DNS, and the
// replica of the database that a standby reads: writes are fenced where they arrive), the
// pod's own node (a DNS cache), and the API server wherever it is. A pod with resolvers
// outside the cluster of its own does not resolve while fenced: ports can't be excepted,
// since that would take some forty entries of the policy map, of 16,384, for every
// address that any policy knows, and an agent whose map is full realises nothing.
//
// cluster is this cluster's name in the mesh. Empty, if that is not known: then pods of
// this cluster are denied too, except DNS.
//
// Nothing else changes for the pods: without enableDefaultDeny, denying would also put an
// end to all that no policy allows.
func fenceSpec(selector labels.Selector, namespaces []string, cluster string) map[string]any {
	elsewhere := []any{exists(clusterLabel), notIn(clusterLabel, cluster)}
	if cluster == "" {
		elsewhere = []any{exists(clusterLabel), notIn(dnsLabel, dns)}
	}
	outside := []any{selects(elsewhere...)}
	// Not the entity world or remote-node: an API server is of these too, and a deny of it
	// can't be taken back by any allow.
	for _, reserved := range []string{"world", "world-ipv4", "world-ipv6", "remote-node"} {
		outside = append(outside, selects(exists("reserved:"+reserved), absent("reserved:kube-apiserver")))
	}
	return map[string]any{
		"description":       "failoverd: this region is fenced",
		"endpointSelector":  pods(selector, namespaces),
		"enableDefaultDeny": map[string]any{"ingress": false, "egress": false},
		"ingressDeny": []any{
			map[string]any{"fromEntities": []any{"world", "remote-node", "ingress", "unmanaged"}},
			// A selector without this label would mean this cluster only.
			map[string]any{"fromEndpoints": []any{selects(exists(clusterLabel))}},
		},
		"egressDeny": []any{
			map[string]any{"toEndpoints": outside},
			map[string]any{"toEntities": []any{"ingress"}},
		},
	}
}

// idleSpec is a policy without effect: Cilium knows `none` as what nothing ever is.
func idleSpec() map[string]any {
	return map[string]any{
		"description":       "failoverd: this region is not fenced",
		"endpointSelector":  map[string]any{"matchLabels": map[string]any{"reserved:none": ""}},
		"enableDefaultDeny": map[string]any{"ingress": false, "egress": false},
		"ingressDeny":       []any{map[string]any{"fromEntities": []any{"none"}}},
	}
}

// operators are those of the layer's selector as a policy names them.
var operators = map[selection.Operator]string{
	selection.Equals: "In", selection.DoubleEquals: "In", selection.In: "In",
	selection.NotEquals: "NotIn", selection.NotIn: "NotIn",
	selection.Exists: "Exists", selection.DoesNotExist: "DoesNotExist",
}

// parseSelector reads a selector of labels. It returns an error for one that a policy can't
// say.
func parseSelector(text string) (labels.Selector, error) {
	selector, err := labels.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("selector %q: %w", text, err)
	}
	requirements, _ := selector.Requirements()
	for _, r := range requirements {
		if operators[r.Operator()] == "" {
			return nil, fmt.Errorf("selector %q: a policy of Cilium does not have the operator of %q; use =, !=, in, notin, or the key alone", text, r.String())
		}
	}
	return selector, nil
}

// pods selects the pods of the layer.
func pods(selector labels.Selector, namespaces []string) map[string]any {
	all := []any{absent(databaseLabel)}
	if len(namespaces) > 0 {
		all = append(all, in(namespaceLabel, namespaces...))
	} else {
		all = append(all, exists(namespaceLabel)) // or a selector that only excludes would select Cilium's own endpoints
	}
	requirements, _ := selector.Requirements()
	for _, r := range requirements { // in the order of their keys
		all = append(all, requirement("k8s:"+r.Key(), operators[r.Operator()], r.Values().List()...))
	}
	return selects(all...)
}

func selects(requirements ...any) map[string]any {
	return map[string]any{"matchExpressions": requirements}
}

func exists(key string) any               { return requirement(key, "Exists") }
func absent(key string) any               { return requirement(key, "DoesNotExist") }
func in(key string, values ...string) any { return requirement(key, "In", values...) }
func notIn(key string, value string) any  { return requirement(key, "NotIn", value) }

func requirement(key, operator string, values ...string) any {
	r := map[string]any{"key": key, "operator": operator}
	if len(values) > 0 {
		list := make([]any, len(values))
		for i, v := range values {
			list[i] = v
		}
		r["values"] = list
	}
	return r
}

// newPolicy is a policy of a group, under an epoch.
func newPolicy(group, epoch string, spec map[string]any) *unstructured.Unstructured {
	p := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": policies.GroupVersion().String(), "kind": "CiliumClusterwideNetworkPolicy", "spec": spec,
	}}
	p.SetName(policyName(group))
	p.SetLabels(map[string]string{"app.kubernetes.io/managed-by": kube.FieldManager})
	p.SetAnnotations(map[string]string{kube.EpochAnnotation: epoch})
	return p
}
