package httproute

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"

	_ "sigs.k8s.io/gateway-api/conformance/utils/weight" // only so that go.mod pins the module whose manifests are read

	"github.com/openova-io/failoverd/layers"
)

// TestConformanceRoutes fences and activates every route of the Gateway API's conformance tests, and wants it back as it was.
func TestConformanceRoutes(t *testing.T) {
	plane := region.Planes(t)[0]
	layer, client := newLayer(t, plane.Config())
	ctx := t.Context()
	namespaces := map[string]string{}
	before := map[string]string{} // by kind, namespace and name
	kinds := map[string]int{}
	var stored []*unstructured.Unstructured
	resource := func(o *unstructured.Unstructured) schema.GroupVersionResource {
		return schema.GroupVersionResource{Group: group, Version: "v1", Resource: strings.ToLower(o.GetKind()) + "s"}
	}
	for i, o := range conformanceRoutes(t) {
		ns := o.GetNamespace()
		if namespaces[ns] == "" {
			namespaces[ns] = plane.Namespace(t)
		}
		o.SetNamespace(namespaces[ns])
		o.SetName(o.GetName() + "-" + string(rune('a'+i%26)) + string(rune('a'+i/26))) // files reuse names
		o.SetLabels(map[string]string{"failover.openova.io/group": "e2e"})
		o.SetAPIVersion(group + "/v1")
		got, err := client.Resource(resource(o)).Namespace(o.GetNamespace()).Create(ctx, o, metav1.CreateOptions{})
		switch {
		case apierrors.IsNotFound(err): // a kind of the experimental channel
			kinds[o.GetKind()+", not in the standard channel"]++
			continue
		case apierrors.IsInvalid(err), apierrors.IsBadRequest(err): // made to be refused
			kinds[o.GetKind()+", refused by its schema"]++
			continue
		case err != nil:
			t.Fatal(err)
		}
		kinds[o.GetKind()]++
		stored = append(stored, got)
		before[key(got)] = spec(t, got)
	}
	t.Logf("routes of the conformance tests: %v", kinds)
	if len(stored) < 140 {
		t.Fatalf("got %d routes, want at least 140", len(stored))
	}
	read := func(o *unstructured.Unstructured) *unstructured.Unstructured {
		got, err := client.Resource(resource(o)).Namespace(o.GetNamespace()).Get(ctx, o.GetName(), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if err := layer.Fence(ctx, order(3)); err != nil {
		t.Fatal(err)
	}
	if state, err := layer.Observe(ctx); err != nil || state != layers.Inactive {
		t.Errorf("fenced: observed %s, %v; want inactive", state, err)
	}
	changed := 0
	for _, o := range stored {
		if got := spec(t, read(o)); got != before[key(o)] {
			changed++
		}
	}
	if err := layer.Activate(ctx, order(4)); err != nil {
		t.Fatal(err)
	}
	if state, err := layer.Observe(ctx); err != nil || state != layers.Active {
		t.Errorf("activated: observed %s, %v; want active", state, err)
	}
	for _, o := range stored {
		got := read(o)
		if s := spec(t, got); s != before[key(o)] {
			t.Errorf("%s: got spec\n%s\nwant\n%s", key(o), s, before[key(o)])
		}
		if a := got.GetAnnotations(); len(a) != len(o.GetAnnotations()) {
			t.Errorf("%s: got annotations %v, want %v", key(o), a, o.GetAnnotations())
		}
	}
	t.Logf("%d of %d routes had backends and were fenced; all are back as they were", changed, len(stored))
	if changed < 120 {
		t.Errorf("%d of %d routes were fenced, want at least 120", changed, len(stored))
	}
}

func key(o *unstructured.Unstructured) string {
	return o.GetKind() + " " + o.GetNamespace() + "/" + o.GetName()
}

func spec(tb testing.TB, o *unstructured.Unstructured) string {
	tb.Helper()
	text, err := json.Marshal(o.Object["spec"])
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// conformanceRoutes are all routes of the manifests.
func conformanceRoutes(t *testing.T) []*unstructured.Unstructured {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/gateway-api/conformance").Output()
	if err != nil {
		t.Fatalf("find the manifests: %v; run e2e/setup.sh", err)
	}
	files, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "tests", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d manifests (%v), want some", len(files), err)
	}
	routes := []string{"HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"}
	var all []*unstructured.Unstructured
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 1<<16)
		for {
			o := &unstructured.Unstructured{}
			err := documents.Decode(o)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			if slices.Contains(routes, o.GetKind()) {
				all = append(all, o)
			}
		}
	}
	return all
}
