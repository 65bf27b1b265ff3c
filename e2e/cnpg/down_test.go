package cnpg_test

import (
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openova-io/failoverd/lease"
)

// TestOperatorDown fences while CloudNativePG's webhook does not answer, so that no Cluster can be written to. The instances are
// to stop all the same, unless it is a planned switchover, which can wait.
func TestOperatorDown(t *testing.T) {
	w, fsn, _ := newWorld(t)
	fsn.create("db", "fsn", nil)
	w.await("it has a primary instance", func() bool { return text(fsn.get("db"), "status", "currentPrimary") != "" })
	webhook := func(down bool) {
		w.mu.Lock()
		defer w.mu.Unlock()
		fsn.webhookDown = down
	}
	pod := func() bool {
		t.Helper()
		_, err := fsn.admin.Resource(pods).Namespace(fsn.Namespace).Get(t.Context(), "db-1", metav1.GetOptions{})
		if err != nil && !apierrors.IsNotFound(err) {
			t.Fatal(err)
		}
		return err == nil
	}
	fence := func(epoch uint64, reason lease.ReasonCode) {
		t.Helper()
		if err := fsn.layer.Fence(t.Context(), fsn.order(epoch, reason)); err == nil || !strings.Contains(err.Error(), "failed calling webhook") {
			t.Errorf("fence, %s: got %v, want that the webhook does not answer", reason, err)
		}
	}
	webhook(true)
	for _, reason := range []lease.ReasonCode{lease.ReasonHandedOver, lease.ReasonReleased} {
		fence(1, reason)
		if !pod() {
			t.Fatalf("fence, %s: the pod of its instance is gone; want it left alone", reason)
		}
	}
	fence(1, lease.ReasonStarting)
	w.await("the pod of its instance is gone", func() bool { return !pod() })
	webhook(false)
	fsn.until(fsn.layer.Fence, fsn.order(1, lease.ReasonStarting))
	if got := text(fsn.get("db"), "spec", "replica", "primary"); got != "hel" {
		t.Errorf("when the webhook answers again: spec.replica.primary: got %q, want hel", got)
	}
}
