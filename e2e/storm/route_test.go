package storm

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/lease"
)

// routeEvery is how often an API server is asked what its region's route is.
const routeEvery = 50 * time.Millisecond

var httpRoutes = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}

const (
	application = "shop" // the route, and the Service that it leads to
	routeLayer  = "  httproute: {selector: group=storm, namespaces: [%s], gateway_delay: 200ms}\n"
	routeText   = "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: shop, labels: {group: storm}}, spec: {parentRefs: [{name: gateway}], rules: [{backendRefs: [{name: shop, port: 80}]}]}}"
)

// A routeSampler asks a region's API server again and again what its route is, past the network that breaks. One that is frozen or
// does not run can't be asked, and changes nothing meanwhile.
type routeSampler struct {
	region lease.Region
	routes dynamic.ResourceInterface

	mu   sync.Mutex
	seen []Route
}

// newRoute makes the route of a region, in a namespace of its API server. It leads to the application, as Git would have it.
func newRoute(t *testing.T, region lease.Region, plane *controlplane.Plane, namespace string) *routeSampler {
	t.Helper()
	config := plane.Config()
	config.QPS = -1
	client, err := dynamic.NewForConfig(config)
	must(t, err)
	s := &routeSampler{region: region, routes: client.Resource(httpRoutes).Namespace(namespace)}
	o := &unstructured.Unstructured{}
	must(t, yaml.Unmarshal([]byte(routeText), &o.Object))
	_, err = s.routes.Create(t.Context(), o, metav1.CreateOptions{})
	must(t, err)
	return s
}

// start samples until the test ends.
func (s *routeSampler) start(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(routeEvery)
		defer tick.Stop()
		for ctx.Err() == nil {
			s.ask(ctx)
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func (s *routeSampler) ask(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	sent := now()
	o, err := s.routes.Get(ctx, application, metav1.GetOptions{})
	if err != nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen = noteRoute(s.seen, Route{s.region, o.GetResourceVersion(), leads(o), Span{sent, now()}})
}

// noteRoute adds an answer; its span is from question to answer.
func noteRoute(seen []Route, answer Route) []Route {
	if n := len(seen); n > 0 && seen[n-1].Version == answer.Version {
		seen[n-1].To = max(seen[n-1].From, answer.From)
		return seen
	}
	answer.From = answer.To
	return append(seen, answer)
}

// leads reports whether a route leads to the application by any of its rules.
func leads(route *unstructured.Unstructured) bool {
	rules, _, _ := unstructured.NestedSlice(route.Object, "spec", "rules")
	for _, rule := range rules {
		backends, _, _ := unstructured.NestedSlice(rule.(map[string]any), "backendRefs")
		for _, b := range backends {
			if b.(map[string]any)["name"] == application {
				return true
			}
		}
	}
	return false
}

// routesSeen is all that was seen of the routes.
func (w *world) routesSeen() (all []Route) {
	for _, s := range w.routes {
		s.mu.Lock()
		all = append(all, s.seen...)
		s.mu.Unlock()
	}
	return all
}

// astray says of which regions the route is not what it should be: it leads to the application in the one that is active, and
// there alone. It asks now.
func (w *world) astray(ctx context.Context, active lease.Region) (all []string) {
	for _, s := range w.routes {
		o, err := s.routes.Get(ctx, application, metav1.GetOptions{})
		switch {
		case err != nil:
			all = append(all, fmt.Sprintf("the route of %s can't be read: %v", s.region, err))
		case leads(o) != (s.region == active):
			all = append(all, fmt.Sprintf("the route of %s leads to the application: %v", s.region, leads(o)))
		}
	}
	return all
}
