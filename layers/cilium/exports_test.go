package cilium

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// An exporter is an API server that has no Services, and one ServiceExport once it has its CRD.
type exporter struct{ serves, written bool }

func (e *exporter) RoundTrip(r *http.Request) (*http.Response, error) {
	export := map[string]any{"apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport", "metadata": map[string]any{"name": "web", "namespace": "shop"}}
	w := httptest.NewRecorder()
	w.Header().Set("Content-Type", "application/json")
	answer, code := map[string]any{"apiVersion": "v1", "kind": "List", "items": []any{}}, http.StatusOK
	switch kind := path.Base(r.URL.Path); {
	case r.Method == http.MethodPut:
		e.written, answer = true, export
	case kind == "serviceexports" && (!e.serves || path.Base(path.Dir(r.URL.Path)) != "v1beta1"):
		answer, code = map[string]any{"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": http.StatusNotFound, "reason": "NotFound"}, http.StatusNotFound
	case kind == "serviceexports":
		answer["items"] = []any{export}
	}
	w.WriteHeader(code)
	err := json.NewEncoder(w).Encode(answer)
	return w.Result(), err
}

// TestExportsCome has the cluster get ServiceExports when orders have been carried out without them.
func TestExportsCome(t *testing.T) {
	e := &exporter{}
	client, err := kube.New(&rest.Config{Host: "http://api", Transport: e})
	if err != nil {
		t.Fatal(err)
	}
	layer, err := New(client, Config{Group: "rtz", Selector: "failover.openova.io/group=rtz"})
	if err != nil {
		t.Fatal(err)
	}
	if err := layer.steer(t.Context(), layers.Activate, order(1)); err != nil || e.written {
		t.Fatalf("without ServiceExports: got %v; written: %v", err, e.written)
	}
	e.serves = true
	if err := layer.steer(t.Context(), layers.Activate, order(2)); err != nil || !e.written {
		t.Errorf("with one: got %v; written: %v", err, e.written)
	}
}
