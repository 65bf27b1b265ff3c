package strimzi

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers/kube"
)

// pauseAnnotation keeps Strimzi from a resource, and what it deployed going.
const pauseAnnotation = "strimzi.io/pause-reconciliation"

const stateStopped = "stopped"

// kinds are the connectors of a mirror, as the resource and as Kafka Connect names them.
var kinds = []struct{ field, class string }{
	{"sourceConnector", "MirrorSourceConnector"},
	{"checkpointConnector", "MirrorCheckpointConnector"},
}

// A connector is one of a resource; field is the part of the resource that it is.
type connector struct {
	key   string // alias of the source, its place among those of the same alias, and field
	alias string // of the source
	name  string // in Kafka Connect
	spec  map[string]any
}

func (c connector) state() (string, bool) {
	state, ok := c.spec["state"].(string)
	return state, ok
}

// connectorsOf are the connectors that a resource states; what is of another shape than
// the API server would take is left out.
func connectorsOf(o *unstructured.Unstructured) []connector {
	spec, _ := o.Object["spec"].(map[string]any)
	mirrors, _ := spec["mirrors"].([]any)
	places := map[string]int{}
	var all []connector
	for _, m := range mirrors {
		mirror, _ := m.(map[string]any)
		source, _ := mirror["source"].(map[string]any)
		alias, _ := source["alias"].(string)
		place := places[alias]
		places[alias]++
		for _, kind := range kinds {
			if c, ok := mirror[kind.field].(map[string]any); ok {
				all = append(all, connector{
					key:   fmt.Sprintf("%s/%d/%s", alias, place, kind.field),
					alias: alias,
					name:  alias + "->" + targetOf(o) + "." + kind.class,
					spec:  c,
				})
			}
		}
	}
	return all
}

// targetOf is how this region's Kafka is called.
func targetOf(o *unstructured.Unstructured) string {
	alias, _, _ := unstructured.NestedString(o.Object, "spec", "target", "alias")
	return alias
}

// sourcesOf are the aliases that a resource mirrors from, each once.
func sourcesOf(o *unstructured.Unstructured) map[string]bool {
	sources := map[string]bool{}
	for _, c := range connectorsOf(o) {
		sources[c.alias] = true
	}
	return sources
}

// held reports whether the layer has stopped a resource.
func held(o *unstructured.Unstructured) bool {
	_, ok := o.GetAnnotations()[kube.OriginalAnnotation]
	return ok
}

// settled returns nil if all connectors that are to be stopped have stopped, as Strimzi
// says. It writes a status of the generation also when it has failed: then connectors run
// that it could not stop, and status.connectors has only those that it came to.
func settled(o *unstructured.Unstructured) error {
	observed, _, _ := unstructured.NestedInt64(o.Object, "status", "observedGeneration")
	ready, failure := readiness(o)
	switch seen := observed >= o.GetGeneration(); {
	case (!seen || !ready) && o.GetAnnotations()[pauseAnnotation] == "true":
		return fmt.Errorf("its annotation %s keeps Strimzi from stopping it; remove that", pauseAnnotation)
	case !seen:
		return errors.New("waiting for Strimzi's operator to see that it is to stop")
	case failure != "":
		return fmt.Errorf("waiting for Strimzi, which can't reconcile it: %s; mend that", failure)
	case !ready:
		return errors.New("waiting for Strimzi's operator to say that it is ready")
	}
	if replicas, found, err := unstructured.NestedInt64(o.Object, "spec", "replicas"); found && err == nil && replicas == 0 {
		return nil // there is no worker
	}
	is := map[string]string{}
	list, _, _ := unstructured.NestedFieldNoCopy(o.Object, "status", "connectors")
	entries, _ := list.([]any)
	for _, e := range entries {
		entry, _ := e.(map[string]any)
		name, _ := entry["name"].(string)
		inner, _ := entry["connector"].(map[string]any)
		state, _ := inner["state"].(string)
		is[name] = state
	}
	for _, c := range connectorsOf(o) {
		if state, _ := c.state(); state != stateStopped {
			continue
		}
		switch state, exists := is[c.name]; {
		case !exists:
			return fmt.Errorf("waiting for connector %s to stop; Strimzi's operator says nothing of it", c.name)
		case state != "STOPPED":
			return fmt.Errorf("waiting for connector %s to stop; it is %s", c.name, state)
		}
	}
	return nil
}

// readiness is whether Strimzi did all that a resource asks for when it looked last, and
// if it could not, why.
func readiness(o *unstructured.Unstructured) (ready bool, failure string) {
	list, _, _ := unstructured.NestedFieldNoCopy(o.Object, "status", "conditions")
	conditions, _ := list.([]any)
	for _, c := range conditions {
		condition, _ := c.(map[string]any)
		if condition["status"] != "True" {
			continue
		}
		switch condition["type"] {
		case "Ready":
			ready = true
		case "NotReady":
			reason, _ := condition["reason"].(string)
			message, _ := condition["message"].(string)
			return false, cmp.Or(strings.Trim(reason+": "+message, ": "), "it does not say why")
		}
	}
	return ready, ""
}
