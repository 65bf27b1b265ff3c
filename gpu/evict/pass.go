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
	all := []kube.Permission{
		{Resource: "nodes", Verbs: []string{"list", "patch"}},
		{Resource: "pods", Verbs: []string{"list"}},
		{Resource: "pods/eviction", Verbs: []string{"create"}},
		{Group: budgets.Group, Resource: budgets.Resource, Verbs: []string{"list"}},
	}
	for _, k := range kinds {
		all = append(all, kube.Permission{Group: k.group, Resource: k.resource, Verbs: []string{"get", "list", "patch"}})
	}
	return all
}

const (
	page     = 500 // objects in one answer to a list
	parallel = 16  // writes at once
	shown    = 3   // errors that a text names; the rest is counted
)

// Pass looks at the cluster once and does what is due: it cordons and un-cordons nodes,
// stops or resumes what brings pods to them, and evicts pods of those that are cordoned.
// The report is of what there is after it, as far as it came.
func (e *Evictor) Pass(ctx context.Context, s Situation) (gpu.Report, error) {
	var r gpu.Report
	defer func() { e.metrics.report(r) }()
	paces, failed, err := e.cordonNodes(ctx, s, &r)
	if err != nil {
		return r, err
	}
	failed = errors.Join(failed, e.readmission(ctx, s.Region, &r))
	if len(paces) == 0 {
		e.forget()
		return r, failed
	}
	options := metav1.ListOptions{}
	if len(paces) == 1 && s.Region != gpu.Unhealthy { // else the owners of its pods may have some elsewhere
		for name := range paces {
			options.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", name).String()
		}
	}
	list, err := e.list(ctx, pods, options)
	if err != nil {
		return r, errors.Join(failed, err)
	}
	var there []gpu.Pod
	for _, o := range list {
		there = append(there, podOf(o, e.selector))
	}
	selection := gpu.Select(there, func(node string) bool { return paces[node] != gpu.Stay }, e.cfg.MaxPriority)
	var drained map[string]bool
	if s.Region == gpu.Unhealthy {
		drained, err = e.stopOwners(ctx, selection, list, &r)
		failed = errors.Join(failed, err)
	}
	return r, errors.Join(failed, e.evict(ctx, selection, paces, drained, &r))
}

// cordonNodes has the cordons of nodes be what is planned for them. It returns how pods
// leave those of which they do, and why some could not be cordoned or un-cordoned, or found: no pod
// leaves those.
func (e *Evictor) cordonNodes(ctx context.Context, s Situation, r *gpu.Report) (paces map[string]gpu.Pace, failed, err error) {
	list, err := e.list(ctx, nodes, metav1.ListOptions{})
	if err != nil {
		return nil, nil, err
	}
	objects := map[string]*unstructured.Unstructured{}
	var all []gpu.Node
	for _, o := range list {
		objects[o.GetName()] = o
		all = append(all, nodeOf(o))
	}
	r.Nodes = slices.DeleteFunc(gpu.Plan(all, s.GPUs, s.Region, e.cfg.Budget), func(p gpu.NodePlan) bool {
		return p.Pace == gpu.Stay && len(p.Want) == 0 && len(p.Marks) == 0
	})
	paces = map[string]gpu.Pace{}
	var mu sync.Mutex
	failed = atOnce(r.Nodes, func(p gpu.NodePlan) error {
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
	for _, g := range s.GPUs {
		if g.Condition == gpu.Unhealthy && objects[g.Node] == nil {
			failed = errors.Join(failed, fmt.Errorf("a GPU is unhealthy, and no pod leaves for it: the cluster has no node %s; set gpu.node to the name that it has there", g.Node))
			break // all are of one host
		}
	}
	return paces, failed, nil
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

func (e *Evictor) list(ctx context.Context, kind schema.GroupVersionResource, options metav1.ListOptions) (out []*unstructured.Unstructured, err error) {
	options.Limit = page
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
