package cilium

import (
	"fmt"
	"reflect"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// The annotations by which Cilium steers a Service between clusters, and the older names
// that it still reads where the newer one is absent.
const (
	globalKey   = "service.cilium.io/global"
	sharedKey   = "service.cilium.io/shared"
	affinityKey = "service.cilium.io/affinity"

	globalAlias   = "io.cilium/global-service"
	sharedAlias   = "io.cilium/shared-service"
	affinityAlias = "io.cilium/service-affinity"
)

// What the layer sets. An active object is shared as the user has it.
var (
	fencedSteer = map[string]string{sharedKey: "false", affinityKey: "remote"}
	activeSteer = map[string]string{affinityKey: "local"}
)

// A steered is a kind of object that bears the annotations.
type steered struct {
	in     []string                     // the field that holds them
	global func(map[string]string) bool // whether other clusters have the object at all
}

var (
	// A Service bears them itself; Cilium looks at none of them unless it is global.
	service = steered{[]string{"metadata", "annotations"}, func(m map[string]string) bool {
		return strings.EqualFold(read(m, globalKey, globalAlias), "true")
	}}
	// A ServiceExport has them put on the Services that the clusters derive from it, which
	// are all global.
	export = steered{[]string{"spec", "exportedAnnotations"}, func(map[string]string) bool { return true }}
)

// fence is the edit that takes a Service's backends from the other clusters, and has this
// one use theirs.
func fence(order layers.Order) kube.Edit {
	return func(o *unstructured.Unstructured) (bool, error) {
		// An annotation that can't be read must not keep a Service shared: what it kept is
		// lost already.
		known, err := readOriginal(o)
		if err != nil {
			known = nil
		}
		if service.lost(o, known) {
			return false, nil
		}
		return service.edit(o, known, fencedSteer, kube.FencedEpoch(o, order))
	}
}

// activate is the edit that shares a Service's backends as before, and has this cluster use
// its own.
func activate(order layers.Order) kube.Edit {
	return func(o *unstructured.Unstructured) (bool, error) {
		if err := kube.CheckEpoch(o, order); err != nil {
			return false, err
		}
		known, err := readOriginal(o)
		if err != nil {
			return false, err
		}
		if service.lost(o, known) {
			return false, fmt.Errorf("what %s and %s were before it was fenced is not known; set them by hand and remove the annotation %s", sharedKey, affinityKey, kube.EpochAnnotation)
		}
		return service.edit(o, known, activeSteer, "")
	}
}

// preferOwn is the edit of ServiceExports, fenced or active. Of all exports of a name, in
// all clusters, Cilium takes the annotations of the oldest, and puts them on the derived
// Service of every cluster. So an export can't say anything of its own cluster alone: not
// sharing the fenced region's backends would take those of the active one away too, and
// preferring remote ones would send the active region's clients to the fenced one. That
// each cluster prefers its own is right in all of them.
func preferOwn(o *unstructured.Unstructured) (bool, error) {
	known, _ := readOriginal(o) // nothing that can't be read is ever put back
	return export.edit(o, known, activeSteer, "")
}

// edit sets what is wanted, and of what the layer has set before puts back the rest.
func (s steered) edit(o *unstructured.Unstructured, known original, want map[string]string, epoch string) (bool, error) {
	has, _, err := unstructured.NestedStringMap(o.Object, s.in...)
	if err != nil {
		return false, err
	}
	if known == nil && !s.global(has) {
		return false, nil
	}
	before := o.DeepCopy()
	if has == nil {
		has = map[string]string{}
	}
	ours := known.set()
	kept := original{}
	for key, value := range fencedSteer { // all keys that the layer ever sets
		was, ok := has[key]
		if set, is := ours[key]; ok && is && was == set {
			was, ok = known.of(key)
		}
		if value = want[key]; value != "" {
			has[key] = value
			kept[key] = nil
			if ok {
				kept[key] = &was
			}
		} else if ok {
			has[key] = was
		} else {
			delete(has, key)
		}
	}
	if err := unstructured.SetNestedStringMap(o.Object, has, s.in...); err != nil {
		return false, err
	}
	text, err := kept.text()
	if err != nil {
		return false, err
	}
	kube.SetAnnotations(o, map[string]string{kube.OriginalAnnotation: text, kube.EpochAnnotation: epoch})
	return !reflect.DeepEqual(before.Object, o.Object), nil
}

// lost reports whether an object is fenced, and what it was before is not known any more.
func (s steered) lost(o *unstructured.Unstructured, known original) bool {
	if known != nil || o.GetAnnotations()[kube.EpochAnnotation] == "" {
		return false
	}
	has, _, _ := unstructured.NestedStringMap(o.Object, s.in...)
	for key, value := range fencedSteer {
		if has[key] != value {
			return false
		}
	}
	return true
}

// isFenced reports whether a Service is steered away from this cluster; it does not count
// if it is not global.
func isFenced(o *unstructured.Unstructured) (fenced, counts bool) {
	m := o.GetAnnotations()
	if !service.global(m) {
		return false, false
	}
	return strings.EqualFold(read(m, sharedKey, sharedAlias), fencedSteer[sharedKey]) &&
		strings.EqualFold(read(m, affinityKey, affinityAlias), fencedSteer[affinityKey]), true
}

// read is what Cilium reads: the newer name wins where both are there.
func read(m map[string]string, key, alias string) string {
	if value, ok := m[key]; ok {
		return value
	}
	return m[alias]
}
