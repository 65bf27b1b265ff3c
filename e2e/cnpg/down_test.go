package cnpg_test

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/layers/cnpg"
	"github.com/openova-io/failoverd/lease"
)

// TestOperatorDown fences while CloudNativePG's webhook does not answer, so that no Cluster can be written to. The instances are
// to stop all the same: at once, or where authority is given up by choice, which can wait, when the layers are late.
func TestOperatorDown(t *testing.T) {
	w, fsn, hel := newWorld(t)
	for _, r := range w.regions {
		r.create("db", r.Name, nil)
		daemon.Await(w.t, "it has a primary instance", func() bool { return text(r.get("db"), "status", "currentPrimary") != "" })
	}
	webhook := func(r *region, down bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		r.webhookDown = down
	}
	pod := func(r *region) bool {
		t.Helper()
		_, err := r.admin.Resource(pods).Namespace(r.Namespace).Get(t.Context(), "db-1", metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		return err == nil
	}
	fence := func(r *region, layer *cnpg.Layer, reason lease.ReasonCode) {
		t.Helper()
		if err := layer.Fence(t.Context(), r.order(1, reason)); err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
			t.Errorf("fence, %s: got %v, want that the webhook does not answer", reason, err)
		}
	}
	webhook(fsn, true)
	for _, reason := range []lease.ReasonCode{lease.ReasonHandedOver, lease.ReasonReleased, lease.ReasonDegraded} {
		fence(fsn, fsn.layer, reason)
		if !pod(fsn) {
			t.Fatalf("fence, %s: the pod of its instance is gone; want it left alone", reason)
		}
	}
	fence(fsn, fsn.layer, lease.ReasonStarting)
	daemon.Await(w.t, "the pod of its instance is gone", func() bool { return !pod(fsn) })

	webhook(hel, true)
	fence(hel, hel.newLayer(cnpg.Config{FenceTimeout: 1}), lease.ReasonHandedOver)
	daemon.Await(w.t, "the pod is gone, since the layer is late", func() bool { return !pod(hel) })

	webhook(fsn, false)
	fsn.until(fsn.layer.Fence, fsn.order(1, lease.ReasonStarting))
	if got := text(fsn.get("db"), "spec", "replica", "primary"); got != "hel" {
		t.Errorf("when the webhook answers again: spec.replica.primary: got %q, want hel", got)
	}
}
