package httproute

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/applier"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// keeper is an applier that has fenced a layer and keeps it so, as the agent does.
func keeper(t *testing.T, layer layers.Layer) *applier.Applier {
	t.Helper()
	clock := agent.BootClock{}
	timer, err := clock.NewTimer()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{}, 1)
	a := applier.New(applier.Config{
		Group: "e2e", Region: "fsn", Layers: []layers.Layer{layer}, Clock: clock, Timer: timer,
		Report: func(ev applier.Event) {
			if _, ok := ev.(applier.Done); ok {
				done <- struct{}{}
			}
		},
	})
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	a.Fence(lease.Fence{ID: 1, Epoch: 1, Deadline: clock.Now().Add(limit)})
	select {
	case <-done:
	case <-time.After(limit):
		t.Fatal("the layer is not fenced")
	}
	return a
}

// TestWritersThatUndoIt has writers put the original back, as Flux does at each reconciliation: by server-side
// apply, which leaves the daemon's annotations, and by replacing the whole object, which does not. The fence holds, and
// activation restores what Git says by then.
func TestWritersThatUndoIt(t *testing.T) {
	for _, tt := range []struct {
		name  string
		write func(ctx context.Context, client *kube.Client, o *unstructured.Unstructured) error
	}{
		{"apply", func(ctx context.Context, client *kube.Client, o *unstructured.Unstructured) error {
			text, err := json.Marshal(o)
			if err != nil {
				return err
			}
			force := true
			_, err = client.Resource(httpRoutes).Namespace(o.GetNamespace()).Patch(ctx, o.GetName(), types.ApplyPatchType, text,
				metav1.PatchOptions{FieldManager: "kustomize-controller", Force: &force})
			return err
		}},
		{"replace", func(ctx context.Context, client *kube.Client, o *unstructured.Unstructured) error {
			in := client.Resource(httpRoutes).Namespace(o.GetNamespace())
			got, err := in.Get(ctx, o.GetName(), metav1.GetOptions{})
			if err != nil {
				return err
			}
			o = o.DeepCopy()
			o.SetResourceVersion(got.GetResourceVersion())
			_, err = in.Update(ctx, o, metav1.UpdateOptions{})
			return err
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			plane := region.Planes(t)[0]
			namespace := plane.Namespace(t)
			layer, client := newLayer(t, plane.Config(), namespace)
			create(t, client, namespace, 20)
			keeper(t, layer)
			log := watchBackends(t, client, namespace)
			original := route(namespace, 3)
			for i := range 20 {
				// Git moves on meanwhile.
				spec := original.Object["spec"].(map[string]any)
				spec["hostnames"] = []any{fmt.Sprintf("app-%d.example.com", i)}
				if err := tt.write(t.Context(), client, original); err != nil {
					t.Fatal(err)
				}
				log.await(t, original.GetName(), i)
			}
			undone := log.spans
			slices.Sort(undone)
			t.Logf("%d times undone, and fenced again after p50 %v, max %v", len(undone), undone[len(undone)/2], undone[len(undone)-1])
			if err := layer.Activate(t.Context(), order(2)); err != nil {
				t.Fatal(err)
			}
			got, err := client.Resource(httpRoutes).Namespace(namespace).Get(t.Context(), original.GetName(), metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			original.SetName("as-stored") // with the API server's defaults
			want, err := client.Resource(httpRoutes).Namespace(namespace).Create(t.Context(), original, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
			if err != nil {
				t.Fatal(err)
			}
			if spec(t, got) != spec(t, want) || len(got.GetAnnotations()) > 0 {
				t.Errorf("activated: got spec\n%s, annotations %v\nwant what Git says by then\n%s", spec(t, got), got.GetAnnotations(), spec(t, want))
			}
		})
	}
}

// A backendLog is what a route led to, time after time, as a gateway sees it.
type backendLog struct {
	events <-chan watch.Event
	since  time.Time // when it was undone; zero if it is fenced
	spans  []time.Duration
}

func watchBackends(t *testing.T, client *kube.Client, namespace string) *backendLog {
	t.Helper()
	w, err := client.Resource(httpRoutes).Namespace(namespace).Watch(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	return &backendLog{events: w.ResultChan()}
}

// await takes events in until the route of this generation of Git is fenced.
func (l *backendLog) await(t *testing.T, name string, generation int) {
	t.Helper()
	host := fmt.Sprintf("app-%d.example.com", generation)
	timeout := time.After(limit)
	for {
		select {
		case e, ok := <-l.events:
			o, isRoute := e.Object.(*unstructured.Unstructured)
			if !ok || !isRoute {
				t.Fatalf("the watch ended: %v", e.Object)
			}
			if o.GetName() != name {
				continue
			}
			fenced := backend(o) == fenceService
			hosts, _, _ := unstructured.NestedStringSlice(o.Object, "spec", "hostnames")
			switch {
			case !fenced && l.since.IsZero():
				l.since = time.Now()
			case fenced && !l.since.IsZero():
				l.spans, l.since = append(l.spans, time.Since(l.since)), time.Time{}
			}
			if fenced && len(hosts) == 1 && hosts[0] == host {
				return
			}
		case <-timeout:
			t.Fatalf("%s is not fenced again", name)
		}
	}
}
