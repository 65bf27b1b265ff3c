package cilium

import (
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers/kube"
)

// An original is what the annotations that the layer has set were before, as an annotation
// keeps it: nil for one that was absent. It is nil where the layer has set none.
type original map[string]*string

func readOriginal(o *unstructured.Unstructured) (original, error) {
	text := o.GetAnnotations()[kube.OriginalAnnotation]
	if text == "" {
		return nil, nil
	}
	var known original
	if err := json.Unmarshal([]byte(text), &known); err != nil {
		return nil, fmt.Errorf("its annotation %s can't be read (%v); set %s and %s by hand and remove the annotation", kube.OriginalAnnotation, err, sharedKey, affinityKey)
	}
	return known, nil
}

func (k original) text() (string, error) {
	text, err := json.Marshal(k)
	return string(text), err
}

// set is what the layer has set: sharing only to fence.
func (k original) set() map[string]string {
	if k == nil {
		return nil
	}
	if _, fenced := k[sharedKey]; fenced {
		return fencedSteer
	}
	return activeSteer
}

func (k original) of(key string) (value string, ok bool) {
	if p := k[key]; p != nil {
		return *p, true
	}
	return "", false
}
