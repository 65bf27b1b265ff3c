package cilium

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path"
	"strings"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// observed fails the test if the layer is not in a state.
func (w world) observed(t *testing.T, want layers.State) {
	t.Helper()
	if got, err := w.Observe(within(t, limit)); got != want {
		t.Errorf("observed: got %s (%v), want %s", got, err, want)
	}
}

// TestFenceAndActivate goes round with pods, Services and an export, and an older order in between.
func TestFenceAndActivate(t *testing.T) {
	a := startAgent(t)
	w := newWorld(t, region.Planes(t)[0], a)
	w.pod(a, "web-1")
	w.pod(a, "web-2")
	w.pod(a, "pg-1", "cnpg.io/cluster=pg")
	a.addPod("other", "else-1", "app=else")
	w.service(t, "web", map[string]string{"service.cilium.io/global": "true", "service.cilium.io/affinity": "none"})
	w.service(t, "old", map[string]string{"io.cilium/global-service": "true", "io.cilium/shared-service": "true"})
	w.service(t, "inner", map[string]string{"owner": "me"})
	export := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport"}}
	export.SetName("web")
	export.SetLabels(map[string]string{"failover.openova.io/group": w.group})
	if _, err := w.client.Resource(exports).Namespace(w.namespace).Create(t.Context(), export, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Check(within(t, limit)); err == nil || !strings.Contains(err.Error(), "cluster hel is not connected") {
		t.Errorf("check: got %v, want that the mesh is not connected, and nothing else", err)
	}
	w.observed(t, layers.Active)
	if n := a.fenced(); n != 0 {
		t.Errorf("before: got %d pods fenced", n)
	}
	for epoch := uint64(1); epoch < 6; epoch += 2 {
		if err := w.Fence(within(t, limit), w.order(epoch)); err != nil {
			t.Fatal(err)
		}
		if n := a.fenced(); n != 2 {
			t.Errorf("fenced: got %d pods fenced, want 2: neither the database nor the one of nobody", n)
		}
		w.observed(t, layers.Inactive)
		for name, want := range map[string]map[string]string{
			"web":   {"service.cilium.io/shared": "false", "service.cilium.io/affinity": "remote"},
			"old":   {"service.cilium.io/shared": "false", "service.cilium.io/affinity": "remote", "io.cilium/shared-service": "true"},
			"inner": {"owner": "me", "service.cilium.io/shared": ""},
		} {
			got := w.get(t, services, name).GetAnnotations()
			for key, value := range want {
				if got[key] != value {
					t.Errorf("%s, fenced: got %s %q, want %q", name, key, got[key], value)
				}
			}
		}
		if err := w.Activate(within(t, limit), w.order(epoch-1)); err == nil || !strings.Contains(err.Error(), "another instance") {
			t.Errorf("activate for an older epoch: got %v, want a refusal", err)
		}
		if n := a.fenced(); n != 2 {
			t.Errorf("after an order that was refused: got %d pods fenced, want 2", n)
		}
		if err := w.Activate(within(t, limit), w.order(epoch+1)); err != nil {
			t.Fatal(err)
		}
		if n := a.fenced(); n != 0 {
			t.Errorf("active: got %d pods fenced", n)
		}
		w.observed(t, layers.Active)
		if _, err := w.storedPolicy(t.Context()); !apierrors.IsNotFound(err) {
			t.Errorf("active: got %v, want no policy", err)
		}
	}
	got := w.get(t, services, "web").GetAnnotations()
	delete(got, kube.OriginalAnnotation)
	if want := map[string]string{"service.cilium.io/global": "true", "service.cilium.io/affinity": "local"}; !maps.Equal(got, want) {
		t.Errorf("web, active: got %v, want %v", got, want)
	}
	if got, _, _ := unstructured.NestedStringMap(w.get(t, exports, "web").Object, "spec", "exportedAnnotations"); got["service.cilium.io/affinity"] != "local" || len(got) != 1 {
		t.Errorf("the export: got %v, want that each cluster prefers its own", got)
	}
}

// TestWithoutAgent goes by the API server alone, and says so.
func TestWithoutAgent(t *testing.T) {
	plane := region.Planes(t)[0]
	a := startAgent(t)
	a.Socket += "-that-is-not-there"
	a.Static = ""
	w := newWorld(t, plane, a)
	w.service(t, "web", map[string]string{"service.cilium.io/global": "true"})
	if err := w.Check(within(t, limit)); err == nil || !strings.Contains(err.Error(), "by the API server alone") {
		t.Errorf("check: got %v, want that the socket is missing", err)
	}
	if err := w.Fence(within(t, limit), w.order(1)); err != nil {
		t.Fatal(err)
	}
	w.observed(t, layers.Inactive)
	if err := w.Activate(within(t, limit), w.order(0)); err == nil || !strings.Contains(err.Error(), w.policy()) {
		t.Errorf("activate for an older epoch: got %v, want that the policy refuses it", err)
	}
	w.observed(t, layers.Inactive)
	if err := w.Activate(within(t, limit), w.order(2)); err != nil {
		t.Fatal(err)
	}
	w.observed(t, layers.Active)
}

// TestKinds has clusters that lack kinds: without Cilium's policies there is no layer, without ServiceExports there is.
func TestKinds(t *testing.T) {
	planes := controlplane.Start(t, 1, controlplane.Options{})
	var missing *kube.MissingKindError
	if err := newWorld(t, planes[0], nil).Check(within(t, limit)); !errors.As(err, &missing) {
		t.Errorf("without CRDs: got %v, want what is missing", err)
	}
	planes = controlplane.Start(t, 1, controlplane.Options{CRDs: []controlplane.CRDs{controlplane.Cilium}})
	w := newWorld(t, planes[0], nil)
	if err := w.Fence(within(t, limit), w.order(1)); err != nil {
		t.Errorf("without ServiceExports: fence: %v", err)
	}
	if err := w.Activate(within(t, limit), w.order(2)); err != nil {
		t.Errorf("without ServiceExports: activate: %v", err)
	}
}

// TestHostileObjects has Services, and a policy of its name, that somebody has made as unkind as the API server takes them.
func TestHostileObjects(t *testing.T) {
	a := startAgent(t)
	w := newWorld(t, region.Planes(t)[0], a)
	w.pod(a, "web-1")
	many := map[string]string{"service.cilium.io/global": "TRUE"}
	for i := range 1000 {
		many[fmt.Sprintf("alien.example.com/a%d", i)] = strings.Repeat("x", 200)
	}
	w.service(t, "many", many)
	w.service(t, "marked", map[string]string{"service.cilium.io/global": "true", kube.EpochAnnotation: "what", kube.OriginalAnnotation: "{"})
	going := w.serviceObject("going", map[string]string{"service.cilium.io/global": "true"})
	going.SetFinalizers([]string{"example.com/never"})
	in := w.client.Resource(services).Namespace(w.namespace)
	if _, err := in.Create(t.Context(), going, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := in.Delete(t.Context(), "going", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	alien := w.alien()
	alien.SetFinalizers([]string{"example.com/never"})
	if _, err := w.client.Resource(policies).Create(t.Context(), alien, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Fence(within(t, limit), w.order(7)); err != nil {
		t.Fatal(err)
	}
	if n := a.fenced(); n != 1 {
		t.Errorf("got %d pods fenced, want 1", n)
	}
	w.observed(t, layers.Inactive)

	err := w.Activate(within(t, limit), w.order(8))
	if err == nil || !strings.Contains(err.Error(), "example.com/never") {
		t.Errorf("activate: got %v, want the finalizer that keeps the policy", err)
	}
	if n := a.fenced(); n != 1 {
		t.Errorf("while the policy is kept: got %d pods fenced, want 1", n)
	}
	release(t, w)
	if err := w.Activate(within(t, limit), w.order(8)); err != nil {
		t.Fatal(err)
	}
	if n := a.fenced(); n != 0 {
		t.Errorf("active: got %d pods fenced", n)
	}
}

// release takes the finalizers from the policy.
func release(t *testing.T, w world) {
	t.Helper()
	_, err := w.client.Resource(policies).Patch(t.Context(), w.policy(), "application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDrift has others undo what was ordered while a watch runs.
func TestDrift(t *testing.T) {
	w := newWorld(t, region.Planes(t)[0], nil)
	w.service(t, "web", map[string]string{"service.cilium.io/global": "true"})
	ctx := within(t, limit)
	changed := w.watch(t)
	fence := func() {
		t.Helper()
		if err := w.Fence(ctx, w.order(1)); err != nil {
			t.Fatal(err)
		}
	}
	fence()
	for _, tt := range []struct {
		name string
		undo func() error
	}{
		{"the policy is deleted", func() error {
			return w.client.Resource(policies).Delete(ctx, w.policy(), metav1.DeleteOptions{})
		}},
		{"the policy lets the world in", func() error {
			_, err := w.client.Resource(policies).Patch(ctx, w.policy(), "application/json-patch+json", []byte(`[{"op":"remove","path":"/spec/ingressDeny/0"}]`), metav1.PatchOptions{})
			return err
		}},
		{"a Service is shared", func() error {
			_, err := w.client.Resource(services).Namespace(w.namespace).Patch(ctx, "web", "application/merge-patch+json", []byte(`{"metadata":{"annotations":{"service.cilium.io/shared":"true"}}}`), metav1.PatchOptions{})
			return err
		}},
		{"a Service is new", func() error {
			_, err := w.client.Resource(services).Namespace(w.namespace).Create(ctx, w.serviceObject("new", map[string]string{"service.cilium.io/global": "true"}), metav1.CreateOptions{})
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := tt.undo(); err != nil {
				t.Fatal(err)
			}
			if got, err := w.Observe(ctx); got == layers.Inactive {
				t.Errorf("undone: observed %s, %v", got, err)
			}
			// It may take one more round: a watch tells of what the layer did itself before.
			for got, err := w.Observe(ctx); got != layers.Inactive; got, err = w.Observe(ctx) {
				select {
				case <-changed:
					fence()
				case <-ctx.Done():
					t.Fatalf("the watch says nothing; observed %s, %v", got, err)
				}
			}
		})
	}
	t.Run("activated, and the policy comes back", func(t *testing.T) {
		p, err := w.client.Resource(policies).Get(ctx, w.policy(), metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Activate(ctx, w.order(2)); err != nil {
			t.Fatal(err)
		}
		p.SetResourceVersion("")
		p.SetUID("")
		p.SetAnnotations(nil)
		if _, err := w.client.Resource(policies).Create(ctx, p, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		for got, err := w.Observe(ctx); got != layers.Active; got, err = w.Observe(ctx) {
			select {
			case <-changed:
				if err := w.Activate(ctx, w.order(2)); err != nil {
					t.Fatal(err)
				}
			case <-ctx.Done():
				t.Fatalf("the watch says nothing; observed %s, %v", got, err)
			}
		}
	})
}

// TestGoneBeforeTheWatch has the policy made, and deleted by others, before a watch has come about: no event tells of that.
func TestGoneBeforeTheWatch(t *testing.T) {
	var refused atomic.Bool
	refused.Store(true)
	config := region.Planes(t)[0].Config()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			if refused.Load() && r.Method == http.MethodGet && path.Base(r.URL.Path) == policies.Resource {
				return nil, errors.New("refused by the test")
			}
			return next.RoundTrip(r)
		})
	})
	w := newWorldBy(t, region.Planes(t)[0], config, nil)
	ctx := within(t, limit)
	changed := w.watch(t)
	if err := w.Fence(ctx, w.order(1)); err != nil {
		t.Fatal(err)
	}
	if err := w.client.Resource(policies).Delete(ctx, w.policy(), metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	refused.Store(false)
	select {
	case <-changed:
	case <-ctx.Done():
		t.Error("the watch says nothing")
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// watch is what the layer's watch says, until the test ends.
func (w world) watch(t *testing.T) <-chan struct{} {
	ctx, cancel := context.WithCancel(context.Background())
	changed := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		w.Watch(ctx, func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return changed
}

// alien is a policy of somebody else, that has the layer's name and lets everything pass.
func (w world) alien() *unstructured.Unstructured {
	p := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "cilium.io/v2", "kind": "CiliumClusterwideNetworkPolicy",
		"spec": map[string]any{"endpointSelector": map[string]any{}, "ingress": []any{map[string]any{"fromEntities": []any{"all"}}}},
	}}
	p.SetName(w.policy())
	return p
}
