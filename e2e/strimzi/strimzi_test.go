package strimzi_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// until makes attempts, as the applier does, until one returns nil.
func (r *region) until(attempt func(context.Context, layers.Order) error, o layers.Order) time.Duration {
	t := r.world.t
	t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
	defer cancel()
	for {
		err := attempt(ctx, o)
		if err == nil {
			return time.Since(begun)
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: epoch %d: %v", r.name, o.Epoch, err)
		}
	}
}

// TestSwitchover turns mirroring round six times, with layers that run as under the daemon: what they notice is put back
// under the order that stands. Data never goes round, nothing is mirrored into a region that is active, and a resource
// comes back as it was, or as somebody has made it meanwhile.
func TestSwitchover(t *testing.T) {
	w := newWorld(t)
	w.fsn.create("orders", nil)
	// Git has one direction only.
	w.hel.create("orders", func(o *unstructured.Unstructured) {
		_ = unstructured.SetNestedField(o.Object, int64(0), "spec", "replicas")
	})
	helBefore, fsnBefore := w.hel.get("orders").Object["spec"], w.fsn.get("orders").Object["spec"]

	var mu sync.Mutex
	standing := map[*region]func() error{}
	give := func(r *region, attempt func(context.Context, layers.Order) error, epoch uint64) {
		mu.Lock()
		standing[r] = func() error { return attempt(t.Context(), r.order(epoch)) }
		mu.Unlock()
		r.until(attempt, r.order(epoch))
	}
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	for _, r := range []*region{w.fsn, w.hel} {
		changed := make(chan struct{}, 1)
		watching.Go(func() {
			r.layer.Watch(ctx, func() {
				select {
				case changed <- struct{}{}:
				default:
				}
			})
		})
		watching.Go(func() {
			for {
				select {
				case <-ctx.Done():
					return
				case <-changed:
					mu.Lock()
					if attempt := standing[r]; attempt != nil {
						_ = attempt() // what fails is noticed again
					}
					mu.Unlock()
				}
			}
		})
	}
	t.Cleanup(func() { stop(); watching.Wait() })

	give(w.hel, w.hel.layer.Activate, 1)
	give(w.hel, w.hel.layer.Fence, 1)
	if _, err := w.hel.admin.Resource(mirrorMakers).Namespace(w.hel.namespace).Patch(t.Context(), "orders", types.MergePatchType, []byte(`{"spec":{"replicas":1}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	helBefore.(map[string]any)["replicas"] = int64(1)

	active, standby := w.fsn, w.hel
	for epoch := uint64(2); epoch < 8; epoch++ {
		give(active, active.layer.Activate, epoch)
		for _, class := range []string{"Source", "Checkpoint"} {
			if w.runs("orders " + standby.name + "->" + active.name + ".Mirror" + class + "Connector") {
				t.Errorf("epoch %d: %s is active, and data is mirrored into it (%s)", epoch, active.name, class)
			}
		}
		daemon.Await(w.t, "the standby mirrors", func() bool {
			return w.runs("orders " + active.name + "->" + standby.name + ".MirrorSourceConnector")
		})
		want := helBefore
		if standby == w.fsn {
			want = fsnBefore
		}
		if got := standby.get("orders").Object["spec"]; !reflect.DeepEqual(got, want) {
			t.Errorf("epoch %d: %s mirrors again with spec\n%v\nwant\n%v", epoch, standby.name, got, want)
		}
		daemon.Await(w.t, "it is observed", func() bool {
			state, err := active.layer.Observe(t.Context())
			if state == layers.Inactive || err != nil {
				t.Errorf("epoch %d: %s observed %s, %v; want active", epoch, active.name, state, err)
			}
			return state == layers.Active
		})

		// Somebody starts it again, where it must not run.
		running := []byte(`[{"op":"replace","path":"/spec/mirrors/0/sourceConnector/state","value":"running"}]`)
		if _, err := active.admin.Resource(mirrorMakers).Namespace(active.namespace).Patch(t.Context(), "orders", types.JSONPatchType, running, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
		// That is its state from now on.
		before := fsnBefore
		if active == w.hel {
			before = helBefore
		}
		mirror := before.(map[string]any)["mirrors"].([]any)[0].(map[string]any)
		mirror["sourceConnector"].(map[string]any)["state"] = "running"
		daemon.Await(w.t, "it is stopped again", func() bool {
			state, err := active.layer.Observe(t.Context())
			return err == nil && state == layers.Active
		})
		w.mu.Lock()
		w.both = 0 // that was ours
		w.mu.Unlock()
		give(active, active.layer.Fence, epoch)
		active, standby = standby, active
		w.mu.Lock()
		if w.both > 0 {
			t.Errorf("epoch %d: data went round at %d of %d times", epoch, w.both, w.ran)
		}
		w.mu.Unlock()
	}
}

// TestHostile stops resources that are not as they should be, and says what is wrong.
func TestHostile(t *testing.T) {
	w := newWorld(t)
	var many []any
	for i := range 500 {
		many = append(many, map[string]any{"source": map[string]any{"alias": fmt.Sprintf("k%d", i), "bootstrapServers": "k"}, "sourceConnector": map[string]any{}, "checkpointConnector": map[string]any{"state": "paused"}})
	}
	set := func(value any, path ...string) func(*unstructured.Unstructured) {
		return func(o *unstructured.Unstructured) { _ = unstructured.SetNestedField(o.Object, value, path...) }
	}
	w.fsn.create("plain", nil)
	w.fsn.create("huge", set(many, "spec", "mirrors"))
	w.fsn.create("none", set([]any{}, "spec", "mirrors"))
	w.fsn.create("bare", set([]any{map[string]any{"source": map[string]any{"alias": "x", "bootstrapServers": "k"}}}, "spec", "mirrors"))
	w.fsn.create("alien", set(map[string]any{"failover.openova.io/original": "{{{", "failover.openova.io/epoch": "x"}, "metadata", "annotations"))
	w.fsn.create("newer", set(map[string]any{"failover.openova.io/epoch": "99"}, "metadata", "annotations"))
	w.fsn.create("paused", set(map[string]any{"strimzi.io/pause-reconciliation": "true"}, "metadata", "annotations"))
	w.fsn.create("unready", nil)
	w.fsn.create("deleted", set([]any{"example.com/never"}, "metadata", "finalizers"))
	resource := w.fsn.admin.Resource(mirrorMakers).Namespace(w.fsn.namespace)
	if err := resource.Delete(t.Context(), "deleted", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"newer": "it bears epoch 99", "paused": "strimzi.io/pause-reconciliation keeps Strimzi from stopping it; remove that", "unready": "waiting for Strimzi, which can't reconcile it: StrimziTimeoutException: Exceeded timeout of 300000ms; mend that"}
	got := map[string]string{}
	daemon.Await(w.t, "what can be stopped is", func() bool {
		err := w.fsn.layer.Activate(t.Context(), w.fsn.order(5))
		var unfinished *kube.Unfinished
		if !errors.As(err, &unfinished) {
			t.Fatalf("activated: got %v, want that some are left", err)
		}
		clear(got)
		for _, l := range unfinished.Left {
			got[strings.TrimPrefix(l.Object, w.fsn.namespace+"/")] = l.Err.Error()
		}
		return len(got) == len(want)
	})
	for name, text := range want {
		if !strings.Contains(got[name], text) {
			t.Errorf("%s: got %q, want %q", name, got[name], text)
		}
	}
	findings, err := w.fsn.layer.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]bool{}
	for _, f := range findings {
		found[strings.TrimPrefix(f.Object, w.fsn.namespace+"/")] = true
	}
	if !found["paused"] || !found["none"] || !found["bare"] || !found["unready"] {
		t.Errorf("findings %v, want some of paused, none, bare and unready", findings)
	}
	w.fsn.until(w.fsn.layer.Fence, w.fsn.order(5))
}
