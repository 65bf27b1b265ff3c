package evict

import (
	"context"
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/lease"
)

// What the controllers leave on pods and on their own objects.
const (
	workloadAnnotation    = "kueue.x-k8s.io/workload"            // of a pod: its Workload
	jobUIDLabel           = "kueue.x-k8s.io/job-uid"             // of a Workload: what it was made for
	inferenceServiceLabel = "serving.kserve.io/inferenceservice" // of a pod: its InferenceService
)

// An owner is what brings pods back when they leave.
type owner struct {
	kind   *kind
	object *unstructured.Unstructured
}

// found are the owners of pods, by the pods' UID.
type found map[string][]owner

func (f found) of(p gpu.Pod) []owner { return f[p.UID] }

// owners finds those of pods, as far as they can be listed.
func (e *Evictor) owners(ctx context.Context, pods []*unstructured.Unstructured) (found, error) {
	all := found{}
	queued, failed := e.listKind(ctx, workloads, metav1.ListOptions{})
	byName, byUID := map[string]owner{}, map[string]owner{}
	for _, o := range queued {
		w := owner{workloads, o}
		byName[nameOf(o)] = w
		byUID[o.GetLabels()[jobUIDLabel]] = w
		for _, of := range o.GetOwnerReferences() {
			byUID[string(of.UID)] = w
		}
	}
	delete(byUID, "")
	served, err := e.listKind(ctx, inferenceServices, metav1.ListOptions{})
	byService := map[string]owner{}
	for _, o := range served {
		byService[nameOf(o)] = owner{inferenceServices, o}
	}
	for _, p := range pods {
		uid := string(p.GetUID())
		if w, ok := workloadOf(p, byName, byUID); ok {
			all[uid] = append(all[uid], w)
		}
		if s, ok := byService[p.GetNamespace()+"/"+p.GetLabels()[inferenceServiceLabel]]; ok {
			all[uid] = append(all[uid], s)
		}
	}
	return all, errors.Join(unlessAbsent(failed), unlessAbsent(err))
}

// workloadOf is the Workload that a pod is of: that which it names, or which was made for
// it or for what controls it.
func workloadOf(p *unstructured.Unstructured, byName, byUID map[string]owner) (owner, bool) {
	if w, ok := byName[p.GetNamespace()+"/"+p.GetAnnotations()[workloadAnnotation]]; ok {
		return w, true
	}
	if w, ok := byUID[string(p.GetUID())]; ok {
		return w, true
	}
	if of := metav1.GetControllerOf(p); of != nil {
		w, ok := byUID[string(of.UID)]
		return w, ok
	}
	return owner{}, false
}

// drained are the pods of a selection that Kueue takes away by itself, since their
// Workload was stopped: in good order, where an eviction would count as a failure of the
// job. It has drainTime for that.
func (e *Evictor) drained(f found, s gpu.Selection) map[string]bool {
	now := e.cfg.Now()
	since, all := map[string]lease.Instant{}, map[string]bool{}
	for _, p := range s.Evict {
		for _, o := range f.of(p) {
			if o.kind != workloads || !stoppedByUs(o.object) {
				continue
			}
			uid := string(o.object.GetUID())
			begun, ok := e.draining[uid]
			if !ok {
				begun = now
			}
			since[uid] = begun
			all[p.UID] = now.Sub(begun) < drainTime
		}
	}
	e.draining = since
	return all
}
