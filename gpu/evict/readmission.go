package evict

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/layers/kube"
)

// errAbsent says that the cluster does not have a kind. That is no failure.
var errAbsent = errors.New("the cluster does not have it")

// readmission stops what would give GPUs to more pods while the region is degraded, and
// undoes that when it has recovered. What can't be stopped is reported and holds no
// eviction up: a controller that is down may keep its objects from being written, and the
// nodes are cordoned all the same.
func (e *Evictor) readmission(ctx context.Context, region gpu.Condition, r *gpu.Report) error {
	var failed []error
	for _, k := range kinds {
		ours, err := e.listKind(ctx, k, metav1.ListOptions{LabelSelector: stopLabel})
		if errors.Is(err, errAbsent) {
			r.Absent = append(r.Absent, k.String())
			continue
		}
		if err != nil {
			failed = append(failed, err)
			continue
		}
		if region == gpu.Healthy {
			failed = append(failed, e.change(ctx, k, ours, k.resume))
		}
		reportStopped(r, k, ours)
	}
	if region == gpu.Unhealthy {
		failed = append(failed, e.stopQueues(ctx, r))
	}
	return errors.Join(failed...)
}

// stopQueues has Kueue admit no more workloads where that could give them GPUs.
func (e *Evictor) stopQueues(ctx context.Context, r *gpu.Report) error {
	all, err := e.listKind(ctx, clusterQueues, metav1.ListOptions{})
	if err != nil {
		return unlessAbsent(err)
	}
	var queues []*unstructured.Unstructured
	for _, o := range all {
		if grantsGPUs(o) {
			queues = append(queues, o)
		}
	}
	return e.stop(ctx, clusterQueues, queues, r)
}

// stopOwners stops the owners of pods that leave, as far as nothing of them is to stay. It
// returns the pods that an owner which was stopped takes away by itself.
func (e *Evictor) stopOwners(ctx context.Context, s gpu.Selection, there []*unstructured.Unstructured, r *gpu.Report) (map[string]bool, error) {
	if len(s.Evict) == 0 {
		clear(e.draining)
		return nil, nil
	}
	found, err := e.owners(ctx, there)
	if len(found) == 0 {
		return nil, err
	}
	budgeted, unknown := e.budgeted(ctx, there)
	failed := []error{err, unknown}
	if unknown == nil {
		objects := map[*kind][]*unstructured.Unstructured{}
		for _, o := range gpu.Stops(s, e.cfg.MaxPriority, found.of, func(p gpu.Pod) bool { return budgeted[p.UID] }) {
			objects[o.kind] = append(objects[o.kind], o.object)
		}
		for _, k := range kinds {
			failed = append(failed, e.stop(ctx, k, objects[k], r))
		}
	}
	return e.drained(found, s), errors.Join(failed...)
}

func (e *Evictor) stop(ctx context.Context, k *kind, objects []*unstructured.Unstructured, r *gpu.Report) error {
	err := e.change(ctx, k, objects, k.stop)
	reportStopped(r, k, objects)
	return err
}

// reportStopped takes in those of some objects that are, each once.
func reportStopped(r *gpu.Report, k *kind, objects []*unstructured.Unstructured) {
	for _, o := range objects {
		s := gpu.Stopped{Kind: k.String(), Namespace: o.GetNamespace(), Name: o.GetName()}
		if stoppedByUs(o) && !slices.Contains(r.Stopped, s) {
			r.Stopped = append(r.Stopped, s)
		}
	}
}

// An edit is the patch that makes an object what it is to be; nil if it is that.
type edit func(*unstructured.Unstructured) (map[string]any, error)

// change makes objects what they are to be, in place.
func (e *Evictor) change(ctx context.Context, k *kind, objects []*unstructured.Unstructured, edit edit) error {
	return atOnce(objects, func(o *unstructured.Unstructured) error {
		if err := e.changeOne(ctx, k, o, edit); err != nil {
			return fmt.Errorf("%s %s: %w", k, nameOf(o), err)
		}
		return nil
	})
}

func (e *Evictor) changeOne(ctx context.Context, k *kind, o *unstructured.Unstructured, edit edit) error {
	version := o.GroupVersionKind().Version
	resource := e.client.Resource(k.version(version)).Namespace(o.GetNamespace())
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	for {
		patch, err := edit(o)
		if err != nil || patch == nil {
			return err
		}
		body, err := json.Marshal(patch)
		if err != nil {
			return err
		}
		changed, err := resource.Patch(ctx, o.GetName(), types.MergePatchType, body, metav1.PatchOptions{FieldManager: kube.FieldManager})
		if apierrors.IsConflict(err) { // its controller writes its status all the time
			changed, err = resource.Get(ctx, o.GetName(), metav1.GetOptions{})
			if err == nil {
				o.Object = changed.Object
				continue
			}
		}
		if apierrors.IsNotFound(err) {
			return nil
		}
		if err == nil {
			o.Object = changed.Object
		}
		return err
	}
}

// listKind lists objects of a kind by the newest version of it that the cluster has. It
// asks for the list where client-go's discovery would: that takes no other permission.
func (e *Evictor) listKind(ctx context.Context, k *kind, options metav1.ListOptions) ([]*unstructured.Unstructured, error) {
	for _, version := range k.versions {
		list, err := e.list(ctx, k.version(version), options)
		if !apierrors.IsNotFound(err) {
			return list, err
		}
	}
	return nil, errAbsent
}

func unlessAbsent(err error) error {
	if errors.Is(err, errAbsent) {
		return nil
	}
	return err
}

func nameOf(o *unstructured.Unstructured) string {
	if o.GetNamespace() == "" {
		return o.GetName()
	}
	return o.GetNamespace() + "/" + o.GetName()
}
