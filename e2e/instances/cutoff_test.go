package instances

import (
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

const theRecord = "failoverd-" + daemon.GroupName + ".fsn"

var httpRoutes = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

// A routed world has the layer httproute, with one route, and each instance its own ways to the API server and to the witness.
type routed struct {
	*world
	client dynamic.Interface
	ways   map[*daemon.Region]*apiServer
	links  map[*daemon.Region]*kvserver.Link
}

func newRouted(t *testing.T, params lease.Params, term time.Duration) *routed {
	plane := cluster.Planes(t)[0]
	client, err := dynamic.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	var ways []*apiServer // which end after the daemons that use them
	for range 3 {
		ways = append(ways, newAPIServer(t, plane))
	}
	w := &routed{newWorld(t, daemon.Build(t, !*plain), params, term), client, map[*daemon.Region]*apiServer{}, map[*daemon.Region]*kvserver.Link{}}
	route := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
		"metadata": map[string]any{"name": "shop", "namespace": w.namespace, "labels": map[string]any{"failover": "e2e"}},
		"spec":     map[string]any{"rules": []any{map[string]any{"backendRefs": []any{map[string]any{"name": "shop", "port": int64(80)}}}}},
	}}
	if _, err := client.Resource(httpRoutes).Namespace(w.namespace).Create(t.Context(), route, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	for n, i := range w.instances {
		w.ways[i] = ways[n]
		i.Configure(t, fmt.Sprintf("  httproute: {selector: failover=e2e, namespaces: [%s], gateway_delay: 0s}\n", w.namespace), w.sections(w.ways[i].Kubeconfig))
		w.links[i] = w.group.Server.Link(fmt.Sprintf("instance %d", n+1))
		w.links[i].Watch(w.fsn.Watch)
		must(t, os.WriteFile(i.ConfigFile(), []byte(strings.Replace(i.YAML(), i.Link.BaseURL, w.links[i].BaseURL, 1)), 0o600))
	}
	w.start()
	return w
}

// params are short times, but for the TTL.
func params(ttl time.Duration) lease.Params {
	p, _ := shortTimes()
	p.TTL = ttl
	return p
}

// A view is what the route leads to, and the order that it bears.
type view struct {
	fenced bool
	bears  string
}

func (w *routed) route(ctx context.Context) (view, error) {
	o, err := w.client.Resource(httpRoutes).Namespace(w.namespace).Get(ctx, "shop", metav1.GetOptions{})
	if err != nil {
		return view{}, err
	}
	rules, _, _ := unstructured.NestedSlice(o.Object, "spec", "rules")
	backends, _, _ := unstructured.NestedSlice(rules[0].(map[string]any), "backendRefs")
	return view{backends[0].(map[string]any)["name"] != "shop", o.GetAnnotations()[kube.EpochAnnotation]}, nil
}

// follow records how the route changes, until stop.
func (w *routed) follow() (stop func() []view) {
	ctx, cancel := context.WithCancel(w.t.Context())
	var all []view
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if v, err := w.route(ctx); err == nil && (len(all) == 0 || all[len(all)-1] != v) {
				all = append(all, v)
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	})
	return func() []view { cancel(); running.Wait(); return all }
}

// mayHold is what the record says of who may hold authority beside the one that acts.
func (w *routed) mayHold() string {
	w.t.Helper()
	o, err := w.client.Resource(schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}).Namespace(w.namespace).
		Get(w.t.Context(), theRecord, metav1.GetOptions{})
	must(w.t, err)
	return o.GetAnnotations()["failover.openova.io/may-hold"]
}

// TestCutOff cuts the instance that acts off from the API server, not from the witness. It goes on renewing, until it reads there
// that another one acts, and does nothing else; that one inherits; and when it is back it follows, and has ordered nothing.
func TestCutOff(t *testing.T) {
	w := newRouted(t, params(20*time.Second), 2*time.Second)
	first, epoch := w.acting("the start")
	term := first.Ask(t).Instance.Term
	changes := w.follow()
	begun := now()
	w.ways[first].Cut(everything)
	heir := w.heir(first, "cut off")
	took := now().Sub(begun)
	by := map[uint64]int{}
	w.await("the heir renews for a TTL", func(context.Context) bool {
		clear(by)
		for _, write := range w.fsn.All() {
			if write.Answered > begun {
				by[write.Term]++
			}
		}
		return by[term+1] >= 6 && now().Sub(begun) > w.fsn.ttl
	}, func() string { return fmt.Sprintf("renewals by term: %v", by) })
	s := first.Ask(t)
	if s.Instance.Confirmed || s.State != lease.Active && s.State != lease.Follower {
		t.Errorf("cut off, it is %s, confirmed %v; want it active with authority that it can't be sure to be alone with, or a follower", s.State, s.Instance.Confirmed)
	}
	if s := heir.Ask(t); s.Instance.Term != term+1 || s.Epoch != epoch {
		t.Errorf("the heir acts in term %d for epoch %d, want %d and %d", s.Instance.Term, s.Epoch, term+1, epoch)
	}
	if may := w.mayHold(); !strings.Contains(may, "_") {
		t.Errorf("the record does not say that the one that is cut off may hold authority: %s", may)
	}
	runs, err := first.HookRuns()
	must(t, err)

	healed := now()
	w.ways[first].Cut(nil)
	w.await("it follows", func(ctx context.Context) bool {
		s, err := first.Status(ctx)
		return err == nil && s.State == lease.Follower
	})
	followed := now().Sub(healed)
	if next, e := w.acting("after it was cut off"); next != heir || e != epoch {
		t.Errorf("the heir does not act any more, or for epoch %d and not %d", e, epoch)
	}
	w.await("the record says that nobody else may hold authority", func(context.Context) bool { return w.mayHold() == "[]" })
	after, err := first.HookRuns()
	must(t, err)
	if len(after) != len(runs) {
		t.Errorf("it ran hooks: %+v", after[len(runs):])
	}
	for _, what := range w.ways[first].Written() {
		// It strikes itself off, tells people, and no more.
		if !leases(what) && !strings.HasSuffix(what, "/events") {
			t.Errorf("back, it wrote %s", what)
		}
	}
	if _, against := w.kept(epoch, begun, now()); len(against) > 0 {
		t.Error(strings.Join(against, "; "))
	}
	if all := changes(); len(all) != 1 || all[0].fenced {
		t.Errorf("the route was %+v, want it active all the time", all)
	}
	t.Logf("cut off: another one acts after %.2f s; %d renewals by the one that is cut off, which is then %s, and %d by the heir for the same epoch, authority gap 0; back, it follows after %.2f s",
		took.Seconds(), by[term], s.State, by[term+1], followed.Seconds())
}

// TestZombie is worse: the instance that acts is cut off from the witness and from the record, and its orders still reach the API
// server. The others fence the region while it has authority, as far as it knows. What it puts back is refused, since the route
// bears a later term.
func TestZombie(t *testing.T) {
	w := newRouted(t, params(20*time.Second), 2*time.Second) // it has 15 s at least
	zombie, epoch := w.acting("the start")
	w.links[zombie].Hang()
	w.ways[zombie].Cut(leases)
	w.heir(zombie, "cut off from the record")
	changes := w.follow()
	// Those that are left stop, one after the other: the last one of them fences.
	for _, i := range w.instances {
		if i != zombie {
			must(t, i.Process().Terminate())
		}
	}
	for _, i := range w.instances {
		if i != zombie {
			ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
			code, err := i.Process().Wait(ctx)
			cancel()
			if err != nil || code != 0 {
				t.Fatalf("it stopped with exit code %d, %v", code, err)
			}
		}
	}
	fenced, err := w.route(t.Context())
	must(t, err)
	if !fenced.fenced || !strings.Contains(fenced.bears, "/") {
		t.Fatalf("all others have stopped, and the route is %+v; want it fenced in a term", fenced)
	}
	var s daemon.Status
	w.await("the zombie is refused", func(ctx context.Context) bool {
		s, err = zombie.Status(ctx)
		return err == nil && strings.Contains(fmt.Sprint(s.Layers), "another instance of this region acts by now")
	}, func() string { return fmt.Sprintf("its layers: %+v", s.Layers) })
	t.Logf("the zombie is %s for epoch %d, term %d; its layer: %+v", s.State, s.Epoch, s.Instance.Term, s.Layers)
	all := changes()
	for i, v := range all {
		if i > 0 && all[i-1].fenced && !v.fenced {
			t.Errorf("the route was fenced, and active again: %+v", all)
		}
	}
	for _, what := range w.ways[zombie].Written() {
		if strings.Contains(what, "/httproutes/") {
			t.Errorf("the zombie wrote %s", what)
		}
	}

	// It is back: it takes nothing with the authority that it had.
	w.links[zombie].Heal()
	w.ways[zombie].Cut(nil)
	w.await("it has the next term", func(ctx context.Context) bool {
		s, err = zombie.Status(ctx)
		return err == nil && s.Instance.Confirmed && (s.State != lease.Active || s.Epoch > epoch)
	})
}
