package evict

import (
	"encoding/json"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
)

// FuzzObject reads pods and nodes of any shape: nothing panics, no amount is more than a node can have, and what states no
// node and no GPU is not taken to have one.
func FuzzObject(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"spec": 1, "status": [], "metadata": {"annotations": 2}}`,
		`{"spec": {"containers": [null, 1, {"resources": {"limits": {"nvidia.com/gpu": "1"}}}], "priority": 1e300}}`,
		`{"spec": {"initContainers": [{"resources": {"requests": {"nvidia.com/gpu": 2}}}], "nodeName": ["n"]}}`,
		`{"status": {"allocatable": {"nvidia.com/gpu": "9E", "nvidia.com/x": "-1", "nvidia.com/y": "no"}}}`,
		`{"metadata": {"annotations": {"failover.openova.io/gpu-cordon": "gpu,gpu,,region,theirs"}, "ownerReferences": [{"controller": true}]}}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		o := &unstructured.Unstructured{}
		if json.Unmarshal([]byte(text), &o.Object) != nil || o.Object == nil {
			return
		}
		p, n := podOf(o, labels.Everything()), nodeOf(o)
		if n.GPUs < 0 || n.GPUs > mostGPUs {
			t.Errorf("a node of %d GPUs", n.GPUs)
		}
		if len(n.Marks) > 2 {
			t.Errorf("marks %v", n.Marks)
		}
		if _, ok := o.Object["spec"].(map[string]any); !ok && (p.Asks || p.Node != "" || n.Cordoned) {
			t.Errorf("without a spec: %+v, %+v", p, n)
		}
	})
}

func TestAsks(t *testing.T) {
	for text, want := range map[string]bool{
		`{"containers": [{"resources": {"limits": {"nvidia.com/gpu": "1"}}}]}`:                       true,
		`{"containers": [{}], "initContainers": [{"resources": {"requests": {"nvidia.com/x": 1}}}]}`: true,
		`{"containers": [{"resources": {"limits": {"nvidia.com/gpu": "0"}}}]}`:                       false,
		`{"containers": [{"resources": {"limits": {"amd.com/gpu": "1"}}}]}`:                          false,
		`{"containers": "nvidia.com/gpu"}`:                                                           false,
	} {
		var spec map[string]any
		if err := json.Unmarshal([]byte(text), &spec); err != nil {
			t.Fatal(err)
		}
		if got := asks(spec); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}
