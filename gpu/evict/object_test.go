package evict

import (
	"encoding/json"
	"maps"
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

// FuzzStop stops and resumes objects of any shape: nothing panics, what is stopped is not stopped again, and its spec is
// afterwards as it was.
func FuzzStop(f *testing.F) {
	for _, text := range []string{
		`{}`, `{"spec": 1}`, `{"spec": {}}`, `{"spec": {"stopPolicy": "None", "active": true}}`, `{"spec": {"stopPolicy": "Hold", "active": false}}`,
		`{"spec": {"stopPolicy": ["Hold"], "active": {"x": null}, "predictor": {"minReplicas": "0"}}}`,
		`{"spec": {"predictor": {"minReplicas": 0}, "transformer": {"minReplicas": 2}, "explainer": null}}`,
		`{"spec": {"predictor": {}, "transformer": {"minReplicas": null}, "explainer": []}, "metadata": {"labels": 1, "annotations": {"failover.openova.io/gpu-stop": "{}"}}}`,
		`{"spec": {}, "metadata": {"labels": {"failover.openova.io/gpu-stopped": ""}, "annotations": {"failover.openova.io/gpu-stop": "["}}}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range kinds {
			o := &unstructured.Unstructured{}
			if json.Unmarshal([]byte(text), &o.Object) != nil || o.Object == nil {
				return
			}
			grantsGPUs(o)
			if stoppedByUs(o) {
				_, _ = k.stop(o)
				_, _ = k.resume(o)
				continue
			}
			before := o.DeepCopy().Object["spec"]
			patch, err := k.stop(o)
			if err != nil || patch == nil {
				continue
			}
			o.Object = merged(o.Object, patch)
			if again, err := k.stop(o); again != nil || err != nil {
				t.Fatalf("%s: stopped again by %v, %v", k, again, err)
			}
			back, err := k.resume(o)
			if err != nil {
				t.Fatal(err)
			}
			o.Object = merged(o.Object, back)
			if got, want := textJSON(t, o.Object["spec"]), textJSON(t, before); got != want || stoppedByUs(o) {
				t.Errorf("%s: got %s, ours: %v; want %s", k, got, stoppedByUs(o), want)
			}
		}
	})
}

// merged is a JSON merge patch applied.
func merged(o, patch any) map[string]any {
	out := map[string]any{}
	is, _ := o.(map[string]any)
	maps.Copy(out, is)
	changes, _ := patch.(map[string]any)
	for key, v := range changes {
		switch inner := v.(type) {
		case nil:
			delete(out, key)
		case map[string]any:
			out[key] = merged(out[key], inner)
		default:
			out[key] = v
		}
	}
	return out
}

// textJSON is a value without its nulls: one that is absent is as good.
func textJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(withoutNulls(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func withoutNulls(v any) any {
	is, ok := v.(map[string]any)
	if !ok {
		return v
	}
	out := map[string]any{}
	for key, inner := range is {
		if inner != nil {
			out[key] = withoutNulls(inner)
		}
	}
	return out
}
