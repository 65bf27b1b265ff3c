package evict

import (
	"encoding/json"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A kind is of objects that bring pods to GPUs, and can be told not to.
type kind struct {
	group, resource string
	versions        []string       // that are known, the newest first
	fields          [][]string     // that stop an object; one is left where what it is a part of is not there
	value           any            // that stops it
	stops           func(any) bool // whether a value of others' does, too
}

var (
	clusterQueues = &kind{
		group: "kueue.x-k8s.io", resource: "clusterqueues", versions: []string{"v1beta2", "v1beta1"}, fields: [][]string{{"spec", "stopPolicy"}},
		// Not HoldAndDrain: that takes what has been admitted away whatever its priority and its budgets.
		value: "Hold", stops: func(v any) bool { return v == "Hold" || v == "HoldAndDrain" },
	}
	workloads = &kind{
		group: "kueue.x-k8s.io", resource: "workloads", versions: []string{"v1beta2", "v1beta1"}, fields: [][]string{{"spec", "active"}},
		value: false, stops: func(v any) bool { return v == false },
	}
	inferenceServices = &kind{
		group: "serving.kserve.io", resource: "inferenceservices", versions: []string{"v1beta1"},
		fields: [][]string{{"spec", "predictor", "minReplicas"}, {"spec", "transformer", "minReplicas"}, {"spec", "explainer", "minReplicas"}},
		value:  int64(0), stops: func(v any) bool { return v != nil && number(v) == 0 },
	}

	kinds = []*kind{clusterQueues, workloads, inferenceServices}
)

func (k *kind) String() string { return k.resource + "." + k.group }

func (k *kind) version(v string) schema.GroupVersionResource {
	return schema.GroupVersionResource{Group: k.group, Version: v, Resource: k.resource}
}

// The marks of an object that the daemon has stopped. Without the label it is somebody
// else's.
const (
	stopLabel      = "failover.openova.io/gpu-stopped"
	stopAnnotation = "failover.openova.io/gpu-stop" // what the fields were that it has set: null for one that was absent
)

func stoppedByUs(o *unstructured.Unstructured) bool {
	_, ok := o.GetLabels()[stopLabel]
	return ok
}

// originals are what the fields were that the daemon has set, by path.
func (k *kind) originals(o *unstructured.Unstructured) (map[string]any, error) {
	if !stoppedByUs(o) {
		return nil, nil
	}
	var known map[string]any
	if err := json.Unmarshal([]byte(o.GetAnnotations()[stopAnnotation]), &known); err != nil {
		return nil, fmt.Errorf("its annotation %s can't be read (%w): set %s by hand and remove the label %s", stopAnnotation, err, k.paths(), stopLabel)
	}
	return known, nil
}

// stop is the patch that stops an object; nil where it is stopped. What it was before is
// always what others have set last.
func (k *kind) stop(o *unstructured.Unstructured) (map[string]any, error) {
	known, err := k.originals(o)
	if err != nil {
		return nil, err
	}
	originals := map[string]any{}
	for path, was := range known {
		originals[path] = was
	}
	patch, changed := map[string]any{}, false
	for _, field := range k.fields {
		is, ok := fieldOf(o, field)
		if !ok || k.stops(is) {
			continue
		}
		originals[strings.Join(field, ".")] = is
		setField(patch, field, k.value)
		changed = true
	}
	if !changed {
		return nil, nil
	}
	text, err := json.Marshal(originals)
	if err != nil {
		return nil, err
	}
	mark(patch, o, "true", string(text))
	return patch, nil
}

// resume is the patch that undoes it: fields that others have set since stay as they are.
func (k *kind) resume(o *unstructured.Unstructured) (map[string]any, error) {
	originals, err := k.originals(o)
	if err != nil {
		return nil, err
	}
	patch := map[string]any{}
	for _, field := range k.fields {
		was, ours := originals[strings.Join(field, ".")]
		if is, ok := fieldOf(o, field); ours && ok && is == k.value {
			setField(patch, field, was)
		}
	}
	mark(patch, o, nil, nil)
	return patch, nil
}

// mark adds marks to a patch, and the version of the object that was looked at: of two
// instances one comes too late, and looks again.
func mark(patch map[string]any, o *unstructured.Unstructured, label, annotation any) {
	patch["metadata"] = map[string]any{
		"resourceVersion": o.GetResourceVersion(),
		"labels":          map[string]any{stopLabel: label},
		"annotations":     map[string]any{stopAnnotation: annotation},
	}
}

func (k *kind) paths() string {
	var all []string
	for _, field := range k.fields {
		all = append(all, strings.Join(field, "."))
	}
	return strings.Join(all, ", ")
}

// fieldOf is the value of a field, nil if it is absent; not ok if what it is a part of is.
func fieldOf(o *unstructured.Unstructured, field []string) (value any, ok bool) {
	of := o.Object
	for _, name := range field[:len(field)-1] {
		if of, ok = of[name].(map[string]any); !ok {
			return nil, false
		}
	}
	return of[field[len(field)-1]], true
}

func setField(o map[string]any, field []string, value any) {
	for _, name := range field[:len(field)-1] {
		inner, ok := o[name].(map[string]any)
		if !ok {
			inner = map[string]any{}
			o[name] = inner
		}
		o = inner
	}
	o[field[len(field)-1]] = value
}

// grantsGPUs reports whether a ClusterQueue has GPUs of NVIDIA's to give.
func grantsGPUs(o *unstructured.Unstructured) bool {
	groups, _ := fieldOf(o, []string{"spec", "resourceGroups"})
	list, _ := groups.([]any)
	for _, g := range list {
		group, _ := g.(map[string]any)
		covered, _ := group["coveredResources"].([]any)
		for _, c := range covered {
			if name, _ := c.(string); strings.HasPrefix(name, vendor) {
				return true
			}
		}
	}
	return false
}
