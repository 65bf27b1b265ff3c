package cnpg_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/postgres"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

func set(value any, path ...string) func(*unstructured.Unstructured) {
	return func(o *unstructured.Unstructured) {
		if value == nil {
			unstructured.RemoveNestedField(o.Object, path...)
			return
		}
		if err := unstructured.SetNestedField(o.Object, value, path...); err != nil {
			panic(err)
		}
	}
}

func annotated(key, value string) func(*unstructured.Unstructured) {
	return set(value, "metadata", "annotations", key)
}

// TestHostile fences and activates Clusters that are not as a Cluster should be. All stop; those that can be active are,
// and what is wrong with the others is said.
func TestHostile(t *testing.T) {
	var many []any
	for range 1500 {
		many = append(many, map[string]any{"name": "HUGE", "value": strings.Repeat("x", 200)})
	}
	tests := []struct {
		name    string
		edit    func(*unstructured.Unstructured)
		role    string // spec.replica.primary when it is fenced
		inert   bool   // it is not active when it is activated
		left    string // in the error of activation; empty for none
		finding string
	}{
		{name: "plain", edit: func(*unstructured.Unstructured) {}, role: "hel"},
		{name: "no-replica", edit: set(nil, "spec", "replica"), finding: "part of no distributed topology"},
		{name: "enabled", edit: set(map[string]any{"enabled": false, "source": "hel"}, "spec", "replica"), finding: "part of no distributed topology"},
		{name: "no-peer", edit: annotated("failover.openova.io/peers", "elsewhere"), role: "fsn", finding: "no peer"},
		{name: "huge", edit: set(many, "spec", "env"), role: "hel"},
		{name: "alien", edit: func(o *unstructured.Unstructured) {
			annotated("failover.openova.io/original", "{{{")(o)
			annotated("failover.openova.io/epoch", "-7 or so")(o)
			annotated("example.com/huge", strings.Repeat("x", 100_000))(o)
		}, role: "hel"},
		{name: "fenced-badly", edit: annotated(fencedAnnotation, "*"), role: "hel"},
		{name: "paused", edit: annotated("cnpg.io/reconciliationLoop", "disabled"), role: "hel", finding: "keeps the operator from it"},
		{name: "hibernated", edit: annotated("cnpg.io/hibernation", "on"), role: "hel", finding: "hibernated", inert: true},
		{name: "slow", edit: set(int64(3600), "spec", "switchoverDelay"), role: "hel", finding: "spec.switchoverDelay is 1h0m0s"},
		{name: "smart", edit: set(nil, "spec", "smartShutdownTimeout"), role: "hel", finding: "spec.smartShutdownTimeout is 3m0s"},
		{name: "delayed", edit: set("1h", "spec", "replica", "minApplyDelay"), role: "hel", finding: "minApplyDelay"},
		{name: "stopped-by-hand", edit: annotated(fencedAnnotation, `["*"]`), role: "hel", finding: "failoverd did not set", inert: true, left: "failoverd did not set; remove that"},
		{name: "newer", edit: annotated("failover.openova.io/epoch", "99"), role: "hel", inert: true, left: "it bears epoch 99"},
		{name: "stuck", role: "fsn", finding: "takes no change of its role"},
		{name: "deleted", edit: set([]any{"example.com/never"}, "metadata", "finalizers"), role: "hel", finding: "being deleted", inert: true},
	}
	w, fsn, _ := newWorld(t)
	for _, tt := range tests {
		fsn.create(tt.name, "fsn", tt.edit)
	}
	resource := fsn.admin.Resource(clusters).Namespace(fsn.Namespace)
	// As a person leaves it who makes it the primary again just when the operator begins to demote it.
	if _, err := resource.Patch(t.Context(), "stuck", types.MergePatchType, []byte(`{"status":{"switchReplicaClusterStatus":{"inProgress":true}}}`), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
	if err := resource.Delete(t.Context(), "deleted", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = resource.Patch(context.Background(), "deleted", types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
	})
	findings, err := fsn.layer.Findings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		var got []string
		for _, f := range findings {
			if f.Object == fsn.Namespace+"/"+tt.name {
				got = append(got, f.Got)
			}
		}
		if tt.finding == "" && len(got) > 0 || tt.finding != "" && (len(got) != 1 || !strings.Contains(got[0], tt.finding)) {
			t.Errorf("%s: found %q, want %q", tt.name, got, tt.finding)
		}
	}

	fsn.until(fsn.layer.Fence, fsn.order(6, lease.ReasonRenewalLate))
	for _, tt := range tests {
		if n := w.group.Writable(tt.name); n != 0 {
			t.Errorf("%s: fenced, and takes writes", tt.name)
		}
		if got := text(fsn.get(tt.name), "spec", "replica", "primary"); got != tt.role {
			t.Errorf("%s: fenced, primary %q, want %q", tt.name, got, tt.role)
		}
	}

	left := map[string]string{}
	daemon.Await(w.t, "what can be activated is", func() bool {
		err := fsn.layer.Activate(t.Context(), fsn.order(7, lease.ReasonTaken))
		var unfinished *kube.Unfinished
		if !errors.As(err, &unfinished) {
			t.Fatalf("activated: got %v, want that some are left", err)
		}
		clear(left)
		for _, l := range unfinished.Left {
			left[strings.TrimPrefix(l.Object, fsn.Namespace+"/")] = l.Err.Error()
		}
		return len(left) == 2
	})
	for _, tt := range tests {
		if got := left[tt.name]; (got == "") != (tt.left == "") || !strings.Contains(got, tt.left) {
			t.Errorf("%s: activation says %q, want %q", tt.name, got, tt.left)
		}
		if n := w.group.Writable(tt.name); (n == 1) == tt.inert {
			t.Errorf("%s: activated, %d regions take writes, inert %v", tt.name, n, tt.inert)
		}
	}

	// Awake again it is promoted by the order that stands.
	if _, err := resource.Patch(t.Context(), "hibernated", types.MergePatchType, []byte(`{"metadata":{"annotations":{"cnpg.io/hibernation":null}}}`), metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	daemon.Await(w.t, "what wakes is active", func() bool {
		_ = fsn.layer.Activate(t.Context(), fsn.order(7, lease.ReasonTaken))
		return w.group.Writable("hibernated") == 1
	})
}

// TestOneHangs has one instance of ten that answers nothing: the others are fenced and activated meanwhile.
func TestOneHangs(t *testing.T) {
	w, fsn, hel := newWorld(t)
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	for _, name := range names {
		fsn.create(name, "fsn", nil)
		hel.create(name, "fsn", nil)
	}
	onlyA := func(err error) bool {
		var unfinished *kube.Unfinished
		return errors.As(err, &unfinished) && len(unfinished.Left) == 1 && unfinished.Left[0].Object == fsn.Namespace+"/a"
	}
	fsn.With("a", func(p *postgres.Instance) { p.Hangs, p.Slow = true, 1<<30 })
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
	defer cancel()
	go func() { ended <- fsn.layer.Fence(ctx, fsn.order(1, lease.ReasonHandedOver)) }()
	daemon.Await(w.t, "the others are fenced", func() bool {
		for _, name := range names[1:] {
			if w.group.Writable(name) != 0 {
				return false
			}
		}
		return true
	})
	// The attempt may have ended before all have stopped, on a busy machine; not the one after.
	if err := <-ended; !onlyA(err) {
		daemon.Await(w.t, "a alone is left", func() bool { return onlyA(fsn.layer.Fence(t.Context(), fsn.order(1, lease.ReasonHandedOver))) })
	}
	fsn.With("a", func(p *postgres.Instance) { p.Hangs, p.Slow = false, 0 })
	fsn.until(fsn.layer.Fence, fsn.order(1, lease.ReasonHandedOver))

	hel.With("a", func(p *postgres.Instance) { p.Hangs = true })
	go func() { ended <- hel.layer.Activate(ctx, hel.order(2, lease.ReasonTaken)) }()
	daemon.Await(w.t, "the others are active", func() bool {
		for _, name := range names[1:] {
			if w.group.Writable(name) != 1 {
				return false
			}
		}
		return true
	})
	if err := <-ended; !onlyA(err) {
		daemon.Await(w.t, "a alone is left", func() bool { return onlyA(hel.layer.Activate(t.Context(), hel.order(2, lease.ReasonTaken))) })
	}
}

// TestDrift has somebody apply the Cluster of Git again and again while it is fenced.
func TestDrift(t *testing.T) {
	w, fsn, hel := newWorld(t)
	fsn.create("db", "fsn", nil)
	hel.create("db", "fsn", nil)
	changed := make(chan struct{}, 1)
	fsn.watch(func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	})
	fsn.until(fsn.layer.Fence, fsn.order(3, lease.ReasonRenewalLate))
	daemon.Await(w.t, "it is demoted", func() (ok bool) {
		fsn.With("db", func(p *postgres.Instance) { ok = p.Running && !p.Primary })
		return ok
	})
	git, err := json.Marshal(map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{fencedAnnotation: nil}},
		"spec":     map[string]any{"replica": map[string]any{"self": "fsn", "primary": "fsn", "source": "hel"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	applied, writable := 0, 0
	for applied < 30 {
		_, err := fsn.admin.Resource(clusters).Namespace(fsn.Namespace).Patch(t.Context(), "db", types.MergePatchType, git, metav1.PatchOptions{})
		if err == nil { // the webhook refuses it while the operator demotes
			applied++
		}
		select {
		case <-changed:
			fsn.until(fsn.layer.Fence, fsn.order(3, lease.ReasonRenewalLate))
		case <-time.After(100 * time.Millisecond):
		}
		writable += w.group.Writable("db")
	}
	daemon.Await(w.t, "it stays fenced", func() bool {
		select {
		case <-changed:
		default:
		}
		fsn.until(fsn.layer.Fence, fsn.order(3, lease.ReasonRenewalLate))
		return text(fsn.get("db"), "spec", "replica", "primary") == "hel" && w.group.Writable("db") == 0
	})
	t.Logf("applied %d times; after putting it back it took writes %d times", applied, writable)
	if writable > 0 {
		t.Errorf("fenced, and it took writes %d times", writable)
	}
}
