package evict

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/layers/kube"
)

var (
	podGroup = schema.GroupVersion{Version: "v1"}
	nodes    = podGroup.WithResource("nodes")
	pods     = podGroup.WithResource("pods")
)

// Permissions are what the daemon has to be allowed for evictions.
func Permissions() []kube.Permission {
	return []kube.Permission{
		{Resource: "nodes", Verbs: []string{"list", "patch"}},
		{Resource: "pods", Verbs: []string{"list"}},
		{Resource: "pods/eviction", Verbs: []string{"create"}},
	}
}

const (
	page     = 500 // objects in one answer to a list
	parallel = 16  // writes at once
)

// Pass looks at the cluster once and does what is due: it cordons and un-cordons nodes,
// and evicts pods of those that are cordoned. The report is of what there is after it, as
// far as it came.
func (e *Evictor) Pass(ctx context.Context, s Situation) (Report, error) {
	var r Report
	defer func() { e.metrics.report(r) }()
	list, err := e.list(ctx, nodes, "")
	if err != nil {
		return r, err
	}
	objects := map[string]*unstructured.Unstructured{}
	var all []gpu.Node
	for _, o := range list {
		objects[o.GetName()] = o
		all = append(all, nodeOf(o))
	}
	plans := gpu.Plan(all, s.GPUs, s.Region, e.cfg.Budget)
	r.Nodes = slices.DeleteFunc(slices.Clone(plans), func(p gpu.NodePlan) bool {
		return p.Pace == gpu.Stay && len(p.Want) == 0 && len(p.Marks) == 0
	})
	if len(r.Nodes) == 0 {
		e.forget()
		return r, nil
	}
	paces := map[string]gpu.Pace{}
	var mu sync.Mutex
	failed := atOnce(r.Nodes, func(p gpu.NodePlan) error {
		if err := e.cordon(ctx, objects[p.Name], p); err != nil {
			return fmt.Errorf("node %s: %w", p.Name, err)
		}
		mu.Lock()
		defer mu.Unlock()
		if p.Pace != gpu.Stay {
			paces[p.Name] = p.Pace
		}
		return nil
	})
	if len(paces) == 0 {
		e.forget()
		return r, failed
	}
	field := ""
	if len(paces) == 1 {
		for name := range paces {
			field = fields.OneTermEqualSelector("spec.nodeName", name).String()
		}
	}
	if list, err = e.list(ctx, pods, field); err != nil {
		return r, errors.Join(failed, err)
	}
	var there []gpu.Pod
	for _, o := range list {
		there = append(there, podOf(o, e.selector))
	}
	selection := gpu.Select(there, func(node string) bool { return paces[node] != gpu.Stay }, e.cfg.MaxPriority)
	return r, errors.Join(failed, e.evict(ctx, selection, paces, &r))
}

// cordon makes a node's cordon what the plan wants. It is written with the version of the
// node that was looked at: of two instances one comes too late, and looks again.
func (e *Evictor) cordon(ctx context.Context, o *unstructured.Unstructured, p gpu.NodePlan) error {
	foreign := p.Cordoned && len(p.Marks) == 0
	if foreign || textOf(p.Want) == o.GetAnnotations()[cordonAnnotation] && p.Cordoned == (len(p.Want) > 0) {
		return nil
	}
	annotation, unschedulable := any(textOf(p.Want)), any(true)
	if len(p.Want) == 0 {
		annotation, unschedulable = nil, nil
	}
	patch, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"resourceVersion": o.GetResourceVersion(), "annotations": map[string]any{cordonAnnotation: annotation}},
		"spec":     map[string]any{"unschedulable": unschedulable},
	})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err = e.client.Resource(nodes).Patch(ctx, p.Name, types.MergePatchType, patch, metav1.PatchOptions{FieldManager: kube.FieldManager})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

func (e *Evictor) list(ctx context.Context, kind schema.GroupVersionResource, field string) (out []*unstructured.Unstructured, err error) {
	options := metav1.ListOptions{FieldSelector: field, Limit: page}
	for {
		call, cancel := context.WithTimeout(ctx, callTimeout)
		list, err := e.client.Resource(kind).List(call, options)
		cancel()
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", kind.Resource, err)
		}
		for i := range list.Items {
			out = append(out, &list.Items[i])
		}
		if options.Continue = list.GetContinue(); options.Continue == "" {
			return out, nil
		}
	}
}

// atOnce does something to all of them, some at once, and returns the first errors by
// text.
func atOnce[T any](all []T, do func(T) error) error {
	errs := slices.DeleteFunc(kube.AtOnce(all, parallel, do), func(err error) bool { return err == nil })
	slices.SortFunc(errs, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
	if more := len(errs) - shown; more > 0 {
		errs = append(errs[:shown], fmt.Errorf("and %d more", more))
	}
	return errors.Join(errs...)
}
