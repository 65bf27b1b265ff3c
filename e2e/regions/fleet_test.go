package regions

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"net/http"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/applier"
	"github.com/openova-io/failoverd/agent/mirror"
	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/postgres"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/cilium"
	"github.com/openova-io/failoverd/layers/cnpg"
	"github.com/openova-io/failoverd/layers/httproute"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

var withEvents = flag.Bool("events", false, "TestFleet: with an Event for every object, as the daemon makes them")

var fleetSize = flag.Int("fleet", 100, "TestFleet: how `many` routes and Services each; a tenth as many Clusters")

// TestFleet fences and activates a thousand routes, a thousand Services and a hundred Clusters, all of one region, as the agent
// does, beside a bare client that writes them as often. Instances stop and start as soon as they are told: CloudNativePG's own
// time is not in it.
func TestFleet(t *testing.T) {
	f := newFleet(t)
	var bare, fences, activations []time.Duration
	var fenceRatios, activationRatios []float64
	var most uint64
	for round := range uint64(5) {
		plain := f.bare(t)
		f.settle(false)
		fenced := f.timed(t, func() {
			f.applier.Fence(lease.Fence{ID: lease.ActionID(2*round + 1), Epoch: 2*round + 1, Reason: lease.ReasonRenewalLate, Deadline: f.deadline()})
		})
		plainAgain := f.bare(t)
		f.settle(true)
		activated := f.timed(t, func() {
			f.applier.Activate(lease.Activate{ID: lease.ActionID(2*round + 2), Epoch: 2*round + 2, Reason: lease.ReasonTaken, Deadline: f.deadline()})
		})
		bare, fences, activations = append(bare, plain, plainAgain), append(fences, fenced), append(activations, activated)
		fenceRatios = append(fenceRatios, fenced.Seconds()/plain.Seconds())
		activationRatios = append(activationRatios, activated.Seconds()/plainAgain.Seconds())
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapInuse)
	}
	t.Logf("%s: %d routes, %d Services and %d Clusters, medians of %d rounds: a bare client writes them in %v; fenced in %v (%.2f times the one before it), activated in %v (%.2f times); heap at most %d MB",
		map[bool]string{false: "no Events", true: "with Events"}[*withEvents], *fleetSize, *fleetSize, *fleetSize/10, len(fences), median(bare), median(fences), median(fenceRatios), median(activations), median(activationRatios), most>>20)
}

func median[T cmp.Ordered](all []T) T {
	slices.Sort(all)
	return all[len(all)/2]
}

// A fleet is the objects of one region, and an applier of its layers.
type fleet struct {
	client    *kube.Client
	namespace string
	database  *postgres.Region
	applier   *applier.Applier
	clock     agent.BootClock
	done      chan struct{}
}

// silence is a board on which nobody tells anything.
type silence struct{}

func (silence) Publish(string, string)     {}
func (silence) Notes(string) []layers.Note { return nil }

func newFleet(t *testing.T) *fleet {
	t.Helper()
	plane := planes.Planes(t)[0]
	config := plane.Config()
	config.QPS = -1
	admin, err := dynamic.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{namespace: plane.Namespace(t), done: make(chan struct{}, 1)}
	group := &postgres.Group{}
	f.database = group.Add("fsn", f.namespace, admin)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return f.database.Instances(next) })
	if f.client, err = kube.New(config); err != nil {
		t.Fatal(err)
	}
	f.create(t, group)
	if *withEvents {
		shown := mirror.New(mirror.Config{
			Client: f.client, Namespace: f.namespace, Log: hclog.NewNullLogger(),
			Params: lease.Params{Group: "fleet", Region: "fsn", TTL: 30 * time.Second, RenewInterval: 10 * time.Second, RetryInterval: time.Second, RequestTimeout: 5 * time.Second},
		})
		f.client.Recorder = shown
		ctx, stop := context.WithCancel(context.Background())
		var running sync.WaitGroup
		running.Go(func() { shown.Run(ctx) })
		t.Cleanup(func() { stop(); running.Wait() })
	}

	routes := httproute.New(f.client, httproute.Config{Selector: selector, Namespaces: []string{f.namespace}})
	traffic, err := cilium.New(f.client, cilium.Config{Group: "fleet", Selector: selector, Namespaces: []string{f.namespace}})
	if err != nil {
		t.Fatal(err)
	}
	databases, err := cnpg.New(f.client, silence{}, cnpg.Config{Selector: selector, Namespaces: []string{f.namespace}, MaxLag: 1 << 20, Silence: time.Minute, FenceTimeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if err := routes.Check(t.Context()); err != nil { // as the daemon does when it starts
		t.Fatal(err)
	}
	timer, err := f.clock.NewTimer()
	if err != nil {
		t.Fatal(err)
	}
	f.applier = applier.New(applier.Config{
		Group: "fleet", Region: "fsn", Layers: []layers.Layer{routes, traffic, databases}, Clock: f.clock, Timer: timer,
		Report: func(ev applier.Event) {
			switch ev := ev.(type) {
			case applier.Done:
				f.done <- struct{}{}
			case applier.Attempt:
				if ev.Err != nil {
					t.Logf("%s %s: %v", ev.Action, ev.Layer, ev.Err)
				}
			}
		},
	})
	t.Cleanup(func() {
		if err := f.applier.Close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

// timed is how long an order takes until it is carried out.
func (f *fleet) timed(t *testing.T, order func()) time.Duration {
	t.Helper()
	begun := time.Now()
	order()
	select {
	case <-f.done:
	case <-time.After(daemon.Patience):
		t.Fatalf("not done after %v", daemon.Patience)
	}
	return time.Since(begun)
}

func (f *fleet) deadline() lease.Instant { return f.clock.Now().Add(daemon.Patience) }

// create makes the objects, and waits until the Clusters have a status.
func (f *fleet) create(t *testing.T, group *postgres.Group) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var living sync.WaitGroup
	living.Go(func() { group.Run(ctx) })
	atOnce(t, *fleetSize, func(i int) error {
		return f.apply(t, httpRoutes, fmt.Sprintf("{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: app-%d, labels: {group: rtz}}, spec: {parentRefs: [{name: gateway}], rules: [{backendRefs: [{name: app-%[1]d, port: 80}]}]}}", i))
	})
	atOnce(t, *fleetSize, func(i int) error {
		return f.apply(t, services, fmt.Sprintf(`{apiVersion: v1, kind: Service, metadata: {name: app-%d, labels: {group: rtz}, annotations: {service.cilium.io/global: "true"}}, spec: {clusterIP: None, ports: [{port: 80}]}}`, i))
	})
	atOnce(t, *fleetSize/10, func(i int) error {
		// The operator would try for ever to create it, without a kubelet.
		f.database.Create(t, cluster(i), "fsn", "hel", func(o *unstructured.Unstructured) {
			kube.SetAnnotations(o, map[string]string{"cnpg.io/reconciliationLoop": "disabled"})
		})
		return nil
	})
	for begun := time.Now(); ; <-time.After(50 * time.Millisecond) {
		list, err := f.client.Resource(postgres.Clusters).Namespace(f.namespace).List(t.Context(), metav1.ListOptions{})
		if err == nil && !slices.ContainsFunc(list.Items, func(o unstructured.Unstructured) bool {
			primary, _, _ := unstructured.NestedString(o.Object, "status", "currentPrimary")
			return primary == ""
		}) {
			break
		}
		if time.Since(begun) > daemon.Patience {
			t.Fatalf("the Clusters have no status (%v)", err)
		}
	}
	stop()
	living.Wait()
}

func cluster(i int) string { return fmt.Sprintf("db-%d", i) }

func (f *fleet) apply(t *testing.T, resource schema.GroupVersionResource, text string) error {
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		return err
	}
	_, err := f.client.Resource(resource).Namespace(f.namespace).Create(t.Context(), o, metav1.CreateOptions{})
	return err
}

// settle has every instance be at once what it is to be.
func (f *fleet) settle(running bool) {
	for i := range *fleetSize / 10 {
		f.database.With(cluster(i), func(p *postgres.Instance) { p.Running, p.Primary = running, true })
	}
}

// bare lists the objects of all kinds and writes each once, many at once.
func (f *fleet) bare(t *testing.T) time.Duration {
	t.Helper()
	begun := time.Now()
	var kinds sync.WaitGroup
	for _, resource := range []schema.GroupVersionResource{httpRoutes, services, postgres.Clusters} {
		kinds.Go(func() {
			in := f.client.Resource(resource).Namespace(f.namespace)
			all, err := in.List(t.Context(), metav1.ListOptions{LabelSelector: selector})
			if err != nil {
				t.Error(err)
				return
			}
			atOnce(t, len(all.Items), func(i int) error {
				kube.SetAnnotations(&all.Items[i], map[string]string{"bare": begun.String()})
				_, err := in.Update(t.Context(), &all.Items[i], metav1.UpdateOptions{})
				return err
			})
		})
	}
	kinds.Wait()
	return time.Since(begun)
}

func atOnce(t *testing.T, n int, do func(int) error) {
	t.Helper()
	if err := controlplane.AtOnce(n, do); err != nil {
		t.Error(err)
	}
}
