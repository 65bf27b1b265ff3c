package regions

import (
	"context"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/openova-io/failoverd/e2e/postgres"
	"github.com/openova-io/failoverd/lease"
)

// every is how often it is looked what the regions' objects say.
const every = 50 * time.Millisecond

// A view is what one region's objects say.
type view struct {
	Routes    int  // that lead to the application
	Ready     bool // the dead-man gate is open: a balancer that obeys it sends clients here
	Admitted  bool // no policy keeps traffic out
	Writable  int  // databases that take writes
	Databases int
}

// serves reports whether a client that asks the balancer gets an answer of the application.
func (v view) serves() bool { return v.Routes > 0 && v.Ready }

// A sample is one look at all regions.
type sample struct {
	at    lease.Instant
	views []view
}

// follow watches the region's routes and policies, as a gateway and Cilium do, until ctx ends.
func (r *region) follow(ctx context.Context) {
	var following sync.WaitGroup
	for resource, served := range map[schema.GroupVersionResource]func(*unstructured.Unstructured) bool{
		httpRoutes: func(o *unstructured.Unstructured) bool {
			rules, _, _ := unstructured.NestedSlice(o.Object, "spec", "rules")
			ref := rules[0].(map[string]any)["backendRefs"].([]any)[0].(map[string]any)
			return ref["name"] == o.GetName()
		},
		policies: func(o *unstructured.Unstructured) bool { return o.GetName() != policy },
	} {
		set := func(o any, there bool) {
			object, ok := o.(*unstructured.Unstructured)
			if !ok {
				return
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.objects[resource.Resource] == nil {
				r.objects[resource.Resource] = map[string]bool{}
			}
			if r.objects[resource.Resource][object.GetName()] = served(object); !there {
				delete(r.objects[resource.Resource], object.GetName())
			}
		}
		informer := dynamicinformer.NewFilteredDynamicInformer(r.admin, resource, metav1.NamespaceAll, 0, cache.Indexers{}, nil).Informer()
		informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
			AddFunc: func(o any) { set(o, true) }, UpdateFunc: func(_, o any) { set(o, true) }, DeleteFunc: func(o any) { set(o, false) },
		})
		following.Go(func() { informer.RunWithContext(ctx) })
	}
	following.Wait()
}

// look looks at a region.
func (r *region) look() view {
	v := view{Admitted: true, Databases: len(databases)}
	r.mu.Lock()
	v.Ready = r.ready
	for _, served := range r.objects[httpRoutes.Resource] {
		if served {
			v.Routes++
		}
	}
	for _, served := range r.objects[policies.Resource] {
		v.Admitted = v.Admitted && served
	}
	r.mu.Unlock()
	for _, name := range databases {
		r.database.With(name, func(p *postgres.Instance) {
			if p.Writable() {
				v.Writable++
			}
		})
	}
	return v
}

// watch samples until the test ends.
func (w *world) watch() {
	ctx, stop := context.WithCancel(context.Background())
	var watching sync.WaitGroup
	watching.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			s := sample{at: now()}
			for _, r := range w.regions {
				s.views = append(s.views, r.look())
			}
			w.mu.Lock()
			w.samples = append(w.samples, s)
			w.mu.Unlock()
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
		}
	})
	w.t.Cleanup(func() { stop(); watching.Wait() })
}

// since are the samples from a time on.
func (w *world) since(at lease.Instant) []sample {
	w.mu.Lock()
	defer w.mu.Unlock()
	i, _ := slices.BinarySearchFunc(w.samples, at, func(s sample, at lease.Instant) int {
		return int(max(-1, min(1, s.at-at)))
	})
	return slices.Clone(w.samples[i:])
}

// count is how many samples are so, and the longest time on end for which they were.
func count(samples []sample, is func(sample) bool) (n int, longest time.Duration) {
	var from lease.Instant
	was := false
	for _, s := range samples {
		if !is(s) {
			was = false
			continue
		}
		if !was {
			from, was = s.at, true
		}
		n++
		longest = max(longest, s.at.Sub(from)+every)
	}
	return n, longest
}

func bothServe(s sample) bool    { return s.views[0].serves() && s.views[1].serves() }
func bothWritable(s sample) bool { return s.views[0].Writable > 0 && s.views[1].Writable > 0 }

// active reports whether a region's objects are all active, and fenced whether none is.
func (v view) active() bool {
	return v.Routes == v.Databases && v.Admitted && v.Writable == v.Databases && v.Ready
}
func (v view) fenced() bool { return v.Routes == 0 && !v.Admitted && v.Writable == 0 }
