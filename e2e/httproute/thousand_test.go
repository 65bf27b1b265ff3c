package httproute

import (
	"runtime"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/layers/kube"
)

// TestThousandRoutes fences and activates a thousand routes, beside a bare client that writes them as often.
func TestThousandRoutes(t *testing.T) {
	const n = 1000
	plane := region.Planes(t)[0]
	namespace := plane.Namespace(t)
	layer, client := newLayer(t, plane.Config(), namespace)
	create(t, client, namespace, n)
	before := specs(t, client, namespace)
	// As the daemon does when it starts. An API server answers the first question for a kind of a CRD a second late.
	if err := layer.Check(t.Context()); err != nil {
		t.Fatal(err)
	}

	bare := func() time.Duration {
		all := list(t, client, namespace)
		begun := time.Now()
		if err := controlplane.AtOnce(n, func(i int) error {
			o := &all[i]
			kube.SetAnnotations(o, map[string]string{"bare": time.Now().String()})
			_, err := client.Resource(httpRoutes).Namespace(namespace).Update(t.Context(), o, metav1.UpdateOptions{})
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
	for round := range uint64(3) {
		writes, heap := counted(t, client, "ok"), allocated()
		plain := bare()
		fenced := timed(func() error { return layer.Fence(t.Context(), order(2*round+1)) })
		again := timed(func() error { return layer.Fence(t.Context(), order(2*round+1)) })
		activated := timed(func() error { return layer.Activate(t.Context(), order(2*round+2)) })
		t.Logf("%d routes: a bare client writes them in %v; fenced in %v (%.2f times that), activated in %v (%.2f times), and nothing to do takes %v; %d MB allocated meanwhile",
			n, plain, fenced, fenced.Seconds()/plain.Seconds(), activated, activated.Seconds()/plain.Seconds(), again, (allocated()-heap)>>20)
		if got := counted(t, client, "ok") - writes; got != 2*n {
			t.Errorf("got %v writes, want %d: one a route to fence, one to activate", got, 2*n)
		}
	}
	if got := counted(t, client, "conflict") + counted(t, client, "error"); got > 0 {
		t.Errorf("got %v conflicts and errors, want none", got)
	}
	for name, got := range specs(t, client, namespace) {
		if got != before[name] {
			t.Errorf("%s: got spec %s, want %s", name, got, before[name])
		}
	}
}

// counted is how many writes of routes had an outcome.
func counted(tb testing.TB, client *kube.Client, outcome string) (n float64) {
	tb.Helper()
	for _, m := range gather(client) {
		var out dto.Metric
		if err := m.Write(&out); err != nil {
			tb.Fatal(err)
		}
		labels := map[string]string{}
		for _, l := range out.Label {
			labels[l.GetName()] = l.GetValue()
		}
		if labels["resource"] == "httproutes" && labels["outcome"] == outcome {
			n += out.Counter.GetValue()
		}
	}
	return n
}

// allocated is how many bytes have been allocated so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func gather(client *kube.Client) (all []prometheus.Metric) {
	ch := make(chan prometheus.Metric)
	go func() { client.Metrics.Collect(ch); close(ch) }()
	for m := range ch {
		all = append(all, m)
	}
	return all
}
