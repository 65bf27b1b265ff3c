package mirror

import (
	"context"
	"flag"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/httproute"
	"github.com/openova-io/failoverd/lease"
)

// TestFlappingWriter puts a route back again and again: that is one Event, which is counted up.
func TestFlappingWriter(t *testing.T) {
	plane := cluster.Planes(t)[0]
	s := start(t, plane.Config(), plane.Namespace(t))
	s.Show(active(1, 0), nil)
	routes := s.client.Resource(httpRoutes).Namespace(s.namespace)
	if _, err := routes.Create(t.Context(), route(), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	layer := httproute.New(s.client, httproute.Config{Selector: "failover=e2e", Namespaces: []string{s.namespace}})
	order := layers.Order{Group: "e2e", Region: "fsn", Epoch: 1, Reason: lease.ReasonReleased}
	if err := layer.Fence(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
	defer cancel()
	drift := make(chan struct{}, 1)
	go layer.Watch(ctx, func() {
		select {
		case drift <- struct{}{}:
		default:
		}
	})
	const times = 30
	for range times {
		got, err := routes.Get(t.Context(), "shop", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		got.Object["spec"] = route().Object["spec"]
		if _, err := routes.Update(t.Context(), got, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		select {
		case <-drift:
		case <-ctx.Done():
			t.Fatal("the watch does not notice the change")
		}
		if err := layer.Fence(t.Context(), order); err != nil {
			t.Fatal(err)
		}
	}
	daemon.Await(t, "one Event that has counted", func() bool {
		again := acted(about(t, s.client, s.namespace, "shop"), "put_back")
		if len(again) > 1 {
			t.Fatalf("got %d Events about one route that flaps, want 1", len(again))
		}
		if len(again) == 0 {
			return false
		}
		series, _ := again[0].Object["series"].(map[string]any)
		count, _ := series["count"].(int64)
		return count > 1
	})
}

var idle = flag.Duration("idle", 10*time.Second, "how long TestIdle counts")

// TestIdle counts the requests of an agent at rest, with default times.
func TestIdle(t *testing.T) {
	plane := cluster.Planes(t)[0]
	var requests atomic.Int64
	config := plane.Config()
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return transport(func(r *http.Request) (*http.Response, error) {
			requests.Add(1)
			return next.RoundTrip(r)
		})
	})
	p := params()
	p.TTL, p.RenewInterval, p.RetryInterval = 30*time.Second, 10*time.Second, 2*time.Second
	s := startWith(t, config, plane.Namespace(t), p)
	s.Show(active(1, 0), nil)
	daemon.Await(t, "the Lease", func() bool { return requests.Load() >= 2 })
	begun, before := time.Now(), requests.Load()
	poll := time.NewTicker(2 * time.Second)
	defer poll.Stop()
	for time.Since(begun) < *idle {
		<-poll.C
		s.Show(active(1, 0), nil)
	}
	took, made := time.Since(begun), requests.Load()-before
	t.Logf("%d requests in %v: %.1f a minute", made, took, float64(made)/took.Minutes())
	if made > int64(took/p.RenewInterval)+1 {
		t.Errorf("got %d requests in %v, want one in %v at most", made, took, p.RenewInterval)
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
