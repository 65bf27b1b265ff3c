package cnpg_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/postgres"
	"github.com/openova-io/failoverd/lease"
)

const hundred = 100

// TestHundred fences and activates 100 Clusters, beside a bare client that reads them and writes each, in parallel, over the
// same way. Instances stop and start as soon as they are told: what is measured is the layer and the API server. The
// operator is kept from the Clusters, which without a kubelet it would try to create for ever; its webhooks are not.
func TestHundred(t *testing.T) {
	w, fsn, _ := newWorld(t)
	var creating sync.WaitGroup
	for i := range hundred {
		creating.Go(func() {
			fsn.create(fmt.Sprintf("db-%d", i), "fsn", annotated("cnpg.io/reconciliationLoop", "disabled"))
		})
	}
	creating.Wait()
	// Instances are at once what they are to be, and no step of theirs takes from what is measured.
	settle := func(running bool) {
		for i := range hundred {
			fsn.With(fmt.Sprintf("db-%d", i), func(p *postgres.Instance) { p.Running, p.Primary = running, true })
		}
	}
	daemon.Await(w.t, "all have a status", func() bool {
		list, err := fsn.admin.Resource(clusters).Namespace(fsn.Namespace).List(t.Context(), metav1.ListOptions{})
		if err != nil || len(list.Items) != hundred {
			return false
		}
		for i := range list.Items {
			if text(&list.Items[i], "status", "currentPrimary") == "" {
				return false
			}
		}
		return true
	})
	w.pause()

	bare := func(round int) time.Duration {
		begun := time.Now()
		resource := fsn.client.Resource(clusters).Namespace(fsn.Namespace)
		list, err := resource.List(t.Context(), metav1.ListOptions{LabelSelector: "group=rtz"})
		if err != nil {
			t.Fatal(err)
		}
		var writing sync.WaitGroup
		for i := range list.Items {
			writing.Go(func() {
				o := &list.Items[i]
				if err := unstructured.SetNestedField(o.Object, fmt.Sprint(round), "metadata", "annotations", "example.com/bare"); err != nil {
					t.Error(err)
				}
				if _, err := resource.Update(t.Context(), o, metav1.UpdateOptions{}); err != nil {
					t.Error(err)
				}
			})
		}
		writing.Wait()
		return time.Since(begun)
	}
	measure := func(attempt func(context.Context) error) time.Duration {
		begun := time.Now()
		if err := attempt(t.Context()); err != nil {
			t.Fatal(err)
		}
		return time.Since(begun)
	}
	var bares, fences, activates []time.Duration
	var calls [3]map[string]int
	for round := range 7 {
		epoch := uint64(round + 1)
		bares = append(bares, bare(round))
		calls[0] = fsn.takeCalls()
		settle(false)
		fences = append(fences, measure(func(ctx context.Context) error {
			return fsn.layer.Fence(ctx, fsn.order(epoch, lease.ReasonRenewalLate))
		}))
		calls[1] = fsn.takeCalls()
		settle(true)
		activates = append(activates, measure(func(ctx context.Context) error { return fsn.layer.Activate(ctx, fsn.order(epoch+1, lease.ReasonTaken)) }))
		calls[2] = fsn.takeCalls()
	}
	figure := func(what string, all []time.Duration, calls map[string]int) {
		t.Logf("%d Clusters, %d rounds: %s %v in the median, %.2f times; %v at best, %.2f times; calls %v", hundred, len(all), what,
			median(all), float64(median(all))/float64(median(bares)), slices.Min(all), float64(slices.Min(all))/float64(slices.Min(bares)), calls)
	}
	figure("a bare client", bares, calls[0])
	figure("fence", fences, calls[1])
	figure("activate", activates, calls[2])
	if n := calls[1]["PUT"]; n != hundred {
		t.Errorf("fencing wrote %d times, want %d", n, hundred)
	}
	if n := calls[2]["PUT"]; n != hundred {
		t.Errorf("activating wrote %d times, want %d", n, hundred)
	}
}
