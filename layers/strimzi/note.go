package strimzi

import (
	"encoding/json"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// A said is what a region publishes of one resource.
type said struct {
	Namespace string `json:"ns"`
	Name      string `json:"name"`
	Target    string `json:"target"`          // alias of its Kafka
	Epoch     uint64 `json:"epoch,omitempty"` // under which nothing is mirrored into it any more; 0: data may be
}

// say is what this region publishes of a resource.
func say(o *unstructured.Unstructured) said {
	s := said{Namespace: o.GetNamespace(), Name: o.GetName(), Target: targetOf(o)}
	if held(o) && allStopped(o) && settled(o) == nil {
		s.Epoch = kube.Epoch(o)
	}
	return s
}

func allStopped(o *unstructured.Unstructured) bool {
	for _, c := range connectorsOf(o) {
		if state, _ := c.state(); state != stateStopped {
			return false
		}
	}
	return true
}

// heard are what other regions say of the resources that mirror the same Kafka as one
// of this region's.
func heard(o *unstructured.Unstructured, notes []layers.Note) []said {
	sources := sourcesOf(o)
	var all []said
	for _, n := range notes {
		var list []said
		if json.Unmarshal([]byte(n.Text), &list) != nil {
			continue // it says nothing
		}
		for _, s := range list {
			if sources[s.Target] || len(sources) == 1 && s.Namespace == o.GetNamespace() && s.Name == o.GetName() {
				all = append(all, s)
			}
		}
	}
	return all
}

// leaderOf is what the region says that stopped its connectors under the highest epoch.
func leaderOf(o *unstructured.Unstructured, notes []layers.Note) (said, bool) {
	var found said
	for _, s := range heard(o, notes) {
		if s.Epoch > found.Epoch {
			found = s
		}
	}
	return found, found.Epoch > 0
}
