package httproute

import (
	"errors"
	"fmt"
	"maps"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// marks are the annotations that keep others from undoing a fence: Flux's two
// controllers from putting the route of Git back, and external-dns, before and since
// its version 0.22, from publishing it.
var marks = map[string]string{
	"kustomize.toolkit.fluxcd.io/reconcile":       "disabled",
	"helm.toolkit.fluxcd.io/driftDetection":       "disabled",
	"external-dns.alpha.kubernetes.io/controller": "failoverd",
	"external-dns.kubernetes.io/controller":       "failoverd",
}

// fence is the edit that fences a route.
func fence(order layers.Order) kube.Edit {
	return func(route *unstructured.Unstructured) (bool, error) {
		before := route.DeepCopy()
		// An annotation that can't be read must not keep a route from being fenced: what
		// it kept is lost already.
		known, _ := readOriginal(route)
		kept := original{Marks: maps.Clone(known.Marks)}
		for i, rule := range rulesOf(route) {
			refs := backendsOf(rule)
			if len(refs) == 0 {
				continue
			}
			rest, err := restOf(rule)
			if err != nil {
				return false, fmt.Errorf("rule %d: %w", i, err)
			}
			if isFence(refs) {
				if r, ok := known.of(i, rest); ok {
					kept.Rules = append(kept.Rules, originalRule{i, rest, r.BackendRefs})
				}
				continue
			}
			kept.Rules = append(kept.Rules, originalRule{i, rest, refs})
			rule["backendRefs"] = []any{map[string]any{"name": fenceService, "port": portOf(refs)}}
		}
		if len(kept.Rules) == 0 && len(known.Rules) == 0 {
			return false, nil // nothing of it leads anywhere
		}
		annotations := maps.Clone(marks)
		for key, value := range route.GetAnnotations() {
			if ours, ok := marks[key]; ok && value != ours {
				if kept.Marks == nil {
					kept.Marks = map[string]string{}
				}
				kept.Marks[key] = value
			}
		}
		text, err := kept.text()
		if err != nil {
			return false, err
		}
		annotations[kube.OriginalAnnotation] = text
		annotations[kube.EpochAnnotation] = kube.FencedEpoch(route, order)
		kube.SetAnnotations(route, annotations)
		return !reflect.DeepEqual(before.Object, route.Object), nil
	}
}

// activate is the edit that puts back what fence has kept.
func activate(order layers.Order) kube.Edit {
	return func(route *unstructured.Unstructured) (bool, error) {
		if err := kube.CheckEpoch(route, order); err != nil {
			return false, err
		}
		before := route.DeepCopy()
		known, err := readOriginal(route)
		if err != nil {
			return false, err
		}
		for i, rule := range rulesOf(route) {
			if !isFence(backendsOf(rule)) {
				continue
			}
			rest, err := restOf(rule)
			if err != nil {
				return false, fmt.Errorf("rule %d: %w", i, err)
			}
			r, ok := known.of(i, rest)
			if !ok {
				return false, fmt.Errorf("rule %d leads to the Service %s, and where it led before is not known; %w", i, fenceService, errSetByHand)
			}
			rule["backendRefs"] = r.BackendRefs
		}
		annotations := map[string]string{kube.OriginalAnnotation: "", kube.EpochAnnotation: ""}
		for key, ours := range marks {
			if route.GetAnnotations()[key] == ours && route.GetAnnotations()[kube.OriginalAnnotation] != "" {
				annotations[key] = known.Marks[key]
			}
		}
		kube.SetAnnotations(route, annotations)
		return !reflect.DeepEqual(before.Object, route.Object), nil
	}
}

var errSetByHand = errors.New("set its backendRefs by hand")

// defaultPort is that of backends that name none, which only kinds other than
// Service may.
const defaultPort = int64(80)

// portOf is the port of the first of some backends.
func portOf(refs []any) int64 {
	for _, r := range refs {
		ref, _ := r.(map[string]any)
		if port, ok := ref["port"].(int64); ok {
			return port
		}
	}
	return defaultPort
}
