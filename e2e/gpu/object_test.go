package gpu

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"
)

var (
	clusterQueues     = schema.GroupVersionResource{Group: "kueue.x-k8s.io", Version: "v1beta2", Resource: "clusterqueues"}
	workloads         = schema.GroupVersionResource{Group: "kueue.x-k8s.io", Version: "v1beta2", Resource: "workloads"}
	inferenceServices = schema.GroupVersionResource{Group: "serving.kserve.io", Version: "v1beta1", Resource: "inferenceservices"}
)

var kindNames = map[string]string{"clusterqueues": "ClusterQueue", "workloads": "Workload", "inferenceservices": "InferenceService"}

// objects are those of Kueue and KServe in a world.
type objects struct {
	t         *testing.T
	client    dynamic.Interface
	namespace string
	all       []object
}

type object struct {
	kind schema.GroupVersionResource
	name string
}

func (w *world) objects() *objects {
	w.t.Helper()
	client, err := dynamic.NewForConfig(w.plane.Config())
	w.must(err)
	return &objects{t: w.t, client: client, namespace: w.namespace}
}

func (o *objects) of(kind schema.GroupVersionResource) dynamic.ResourceInterface {
	if kind.Resource == clusterQueues.Resource {
		return o.client.Resource(kind)
	}
	return o.client.Resource(kind).Namespace(o.namespace)
}

// create makes an object of a kind from YAML, with labels and annotations of somebody's.
func (o *objects) create(kind schema.GroupVersionResource, name, spec string, change ...func(*unstructured.Unstructured)) {
	o.t.Helper()
	text := fmt.Sprintf("apiVersion: %s\nkind: %s\nmetadata: {name: %s, labels: {team: a}, annotations: {note: theirs}}\nspec: %s", kind.GroupVersion(), kindNames[kind.Resource], name, spec)
	u := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &u.Object); err != nil {
		o.t.Fatal(err)
	}
	for _, c := range change {
		c(u)
	}
	if _, err := o.of(kind).Create(o.t.Context(), u, metav1.CreateOptions{}); err != nil {
		o.t.Fatalf("create %s %s: %v", kind.Resource, name, err)
	}
	o.all = append(o.all, object{kind, name})
	if kind.Resource == clusterQueues.Resource { // other tests would see it
		o.t.Cleanup(func() { _ = o.of(kind).Delete(context.WithoutCancel(o.t.Context()), name, metav1.DeleteOptions{}) })
	}
}

func (o *objects) patch(kind schema.GroupVersionResource, name, patch string) {
	o.t.Helper()
	if _, err := o.of(kind).Patch(o.t.Context(), name, types.MergePatchType, []byte(patch), metav1.PatchOptions{FieldManager: "somebody"}); err != nil {
		o.t.Fatalf("patch %s %s: %v", kind.Resource, name, err)
	}
}

// texts are the labels, annotations and specs of all objects, by kind and name.
func (o *objects) texts() map[string]string {
	o.t.Helper()
	all := map[string]string{}
	for _, x := range o.all {
		u, err := o.of(x.kind).Get(o.t.Context(), x.name, metav1.GetOptions{})
		if err != nil {
			o.t.Fatal(err)
		}
		text, err := json.Marshal([]any{u.GetLabels(), u.GetAnnotations(), u.Object["spec"]})
		if err != nil {
			o.t.Fatal(err)
		}
		all[x.kind.Resource+" "+x.name] = string(text)
	}
	return all
}

// stopped are the values of the fields that stop all objects, and whether each bears the daemon's mark.
func (o *objects) stopped() map[string]string {
	o.t.Helper()
	all := map[string]string{}
	for _, x := range o.all {
		u, err := o.of(x.kind).Get(o.t.Context(), x.name, metav1.GetOptions{})
		if err != nil {
			o.t.Fatal(err)
		}
		var values []string
		for _, path := range []string{"stopPolicy", "active", "predictor minReplicas", "transformer minReplicas", "explainer minReplicas"} {
			if v, ok, _ := unstructured.NestedFieldNoCopy(u.Object, append([]string{"spec"}, strings.Fields(path)...)...); ok {
				values = append(values, fmt.Sprint(v))
			}
		}
		if _, ok := u.GetLabels()["failover.openova.io/gpu-stopped"]; ok {
			values = append(values, "ours")
		}
		all[x.kind.Resource+" "+x.name] = strings.Join(values, " ")
	}
	return all
}

func checkObjects(t *testing.T, when string, got, want map[string]string) {
	t.Helper()
	for name, w := range want {
		if g := got[name]; g != w {
			t.Errorf("%s: %s: got %s, want %s", when, name, g, w)
		}
	}
}
