package evict

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var budgets = schema.GroupVersionResource{Group: "policy", Version: "v1", Resource: "poddisruptionbudgets"}

// budgeted are the UIDs of pods that a disruption budget selects.
func (e *Evictor) budgeted(ctx context.Context, pods []*unstructured.Unstructured) (map[string]bool, error) {
	list, err := e.list(ctx, budgets, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	byNamespace := map[string][]labels.Selector{}
	for _, b := range list {
		byNamespace[b.GetNamespace()] = append(byNamespace[b.GetNamespace()], selectorOf(b))
	}
	all := map[string]bool{}
	for _, p := range pods {
		for _, s := range byNamespace[p.GetNamespace()] {
			if s.Matches(labels.Set(p.GetLabels())) {
				all[string(p.GetUID())] = true
			}
		}
	}
	return all, nil
}

// selectorOf is the selector of a budget: none selects nothing, an empty one everything.
// One that can't be read is taken to select everything.
func selectorOf(budget *unstructured.Unstructured) labels.Selector {
	value, _ := fieldOf(budget, []string{"spec", "selector"})
	if value == nil {
		return labels.Nothing()
	}
	text, ok := value.(map[string]any)
	var selector metav1.LabelSelector
	if !ok || runtime.DefaultUnstructuredConverter.FromUnstructured(text, &selector) != nil {
		return labels.Everything()
	}
	parsed, err := metav1.LabelSelectorAsSelector(&selector)
	if err != nil {
		return labels.Everything()
	}
	return parsed
}
