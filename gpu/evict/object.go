package evict

import (
	"encoding/json"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/openova-io/failoverd/gpu"
)

// vendor begins the names of the resources that NVIDIA's device plugin offers.
const vendor = "nvidia.com/"

// mirrorAnnotation is on what the kubelet shows of a static pod.
const mirrorAnnotation = "kubernetes.io/config.mirror"

// podOf is what selection needs to know of a pod. What is of another shape than the API
// server would take is as if it were not there.
func podOf(o *unstructured.Unstructured, selector labels.Selector) gpu.Pod {
	spec, _ := o.Object["spec"].(map[string]any)
	status, _ := o.Object["status"].(map[string]any)
	phase, _ := status["phase"].(string)
	node, _ := spec["nodeName"].(string)
	claims, _ := spec["resourceClaims"].([]any)
	_, mirror := o.GetAnnotations()[mirrorAnnotation]
	p := gpu.Pod{
		Namespace: o.GetNamespace(), Name: o.GetName(), UID: string(o.GetUID()), Node: node,
		Priority: number(spec["priority"]), Asks: asks(spec), Claims: len(claims) > 0,
		Matches: selector.Matches(labels.Set(o.GetLabels())), Mirror: mirror,
		Finished: phase == "Succeeded" || phase == "Failed", Terminating: o.GetDeletionTimestamp() != nil,
	}
	if owner := metav1.GetControllerOf(o); owner != nil {
		p.DaemonSet = owner.Kind == "DaemonSet"
		p.Mirror = p.Mirror || owner.Kind == "Node"
	}
	return p
}

// asks reports whether any container asks for a resource of NVIDIA's: those that run
// before the others, too.
func asks(spec map[string]any) bool {
	for _, field := range []string{"containers", "initContainers"} {
		list, _ := spec[field].([]any)
		for _, e := range list {
			container, _ := e.(map[string]any)
			resources, _ := container["resources"].(map[string]any)
			for _, kind := range []string{"requests", "limits"} {
				amounts, _ := resources[kind].(map[string]any)
				for name, amount := range amounts {
					if strings.HasPrefix(name, vendor) && quantity(amount) > 0 {
						return true
					}
				}
			}
		}
	}
	return false
}

// nodeOf is what a plan needs to know of a node.
func nodeOf(o *unstructured.Unstructured) gpu.Node {
	n := gpu.Node{Name: o.GetName(), Marks: marksOf(o)}
	n.Cordoned, _, _ = unstructured.NestedBool(o.Object, "spec", "unschedulable")
	allocatable, _, _ := unstructured.NestedFieldNoCopy(o.Object, "status", "allocatable")
	amounts, _ := allocatable.(map[string]any)
	for name, amount := range amounts {
		if strings.HasPrefix(name, vendor) {
			n.GPUs = min(n.GPUs+quantity(amount), mostGPUs)
		}
	}
	return n
}

// mostGPUs is more than any node has.
const mostGPUs = 1 << 20

// quantity is a whole number, as the API spells it; 0 for what is none.
func quantity(v any) int64 {
	text, ok := v.(string)
	if !ok {
		return max(min(number(v), mostGPUs), 0)
	}
	q, err := resource.ParseQuantity(text)
	if err != nil {
		return 0
	}
	return max(min(q.Value(), mostGPUs), 0)
}

func number(v any) int64 {
	switch v := v.(type) {
	case int64:
		return v
	case float64:
		return int64(v)
	case json.Number:
		n, _ := v.Int64()
		return n
	}
	return 0
}

// cordonAnnotation is on a node that the daemon has cordoned, and says why.
const cordonAnnotation = "failover.openova.io/gpu-cordon"

func marksOf(o *unstructured.Unstructured) (marks []gpu.Mark) {
	for m := range strings.SplitSeq(o.GetAnnotations()[cordonAnnotation], ",") {
		if mark := gpu.Mark(m); (mark == gpu.MarkGPU || mark == gpu.MarkRegion) && !slices.Contains(marks, mark) {
			marks = append(marks, mark)
		}
	}
	return marks
}

func textOf(marks []gpu.Mark) string {
	var all []string
	for _, m := range marks {
		all = append(all, string(m))
	}
	return strings.Join(all, ",")
}
