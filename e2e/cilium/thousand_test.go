package cilium

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/layers/kube"
)

// TestThousandServices fences and activates a thousand Services, beside a bare client that writes them as often.
func TestThousandServices(t *testing.T) {
	const n, rounds = 1000, 5
	w := newWorld(t, region.Planes(t)[0], nil)
	if err := controlplane.AtOnce(n, func(i int) error {
		_, err := w.client.Resource(services).Namespace(w.namespace).Create(t.Context(),
			w.serviceObject(fmt.Sprintf("app-%04d", i), map[string]string{"service.cilium.io/global": "true"}), metav1.CreateOptions{})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	// The bare client lists them too: nobody can write them without.
	bare := func() time.Duration {
		begun := time.Now()
		all, err := w.client.Resource(services).Namespace(w.namespace).List(t.Context(), metav1.ListOptions{LabelSelector: w.selector()})
		if err != nil {
			t.Fatal(err)
		}
		if err := controlplane.AtOnce(n, func(i int) error {
			o := &all.Items[i]
			kube.SetAnnotations(o, map[string]string{"bare": time.Now().String()})
			_, err := w.client.Resource(services).Namespace(w.namespace).Update(t.Context(), o, metav1.UpdateOptions{})
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return time.Since(begun)
	}
	timed := func(do func() error) time.Duration {
		begun := time.Now()
		if err := do(); err != nil {
			t.Fatal(err)
		}
		return time.Since(begun)
	}
	var fences, activations []float64
	for round := range uint64(rounds) {
		plain := bare()
		fenced := timed(func() error { return w.Fence(within(t, limit), w.order(2*round+1)) })
		plainAgain := bare()
		activated := timed(func() error { return w.Activate(within(t, limit), w.order(2*round+2)) })
		fences = append(fences, fenced.Seconds()/plain.Seconds())
		activations = append(activations, activated.Seconds()/plainAgain.Seconds())
		t.Logf("%d Services: fenced in %v, %.2f times a bare client's %v; activated in %v, %.2f times its %v",
			n, fenced, fences[round], plain, activated, activations[round], plainAgain)
	}
	t.Logf("medians of %d rounds: fenced %.2f times, activated %.2f times what a bare client takes", rounds, median(fences), median(activations))
}

func median(all []float64) float64 {
	slices.Sort(all)
	return all[len(all)/2]
}
