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
	Authority bool // by what its agent has on disk, whether that lives or not
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

// letsIn tells of an object, by its resource, whether it lets traffic in.
var letsIn = map[schema.GroupVersionResource]func(*unstructured.Unstructured) bool{
	httpRoutes: func(o *unstructured.Unstructured) bool {
		rules, _, _ := unstructured.NestedSlice(o.Object, "spec", "rules")
		ref := rules[0].(map[string]any)["backendRefs"].([]any)[0].(map[string]any)
		return ref["name"] == o.GetName()
	},
	policies: func(o *unstructured.Unstructured) bool { return o.GetName() != policy },
}

// follow watches the region's routes and policies, as a gateway and Cilium do, until ctx ends.
func (r *region) follow(ctx context.Context) {
	var following sync.WaitGroup
	for resource, served := range letsIn {
		set := func(o any, there bool) {
			object, ok := o.(*unstructured.Unstructured)
			if !ok || !r.owns(object) {
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

// owns reports whether an object is of this test: the planes are of all.
func (r *region) owns(o *unstructured.Unstructured) bool {
	return o.GetNamespace() == "" || o.GetNamespace() == r.namespace
}

// read reads the region's routes and policies now: a watch may be late.
func (r *region) read(ctx context.Context) {
	for resource, served := range letsIn {
		list, err := r.admin.Resource(resource).List(ctx, metav1.ListOptions{})
		if err != nil {
			continue // what was seen stands
		}
		seen := map[string]bool{}
		for i := range list.Items {
			if r.owns(&list.Items[i]) {
				seen[list.Items[i].GetName()] = served(&list.Items[i])
			}
		}
		r.mu.Lock()
		r.objects[resource.Resource] = seen
		r.mu.Unlock()
	}
}

// look looks at a region.
func (w *world) look(r *region) view {
	v := view{Admitted: true, Databases: len(databases)}
	saved, err := r.Saved()
	if err != nil {
		w.t.Errorf("%s: read authority.json: %v", r.Name, err)
	}
	v.Authority = saved.Epoch > 0 && now() < saved.Deadline
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
			s := w.sample(ctx)
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

// sample looks at all regions. They are looked at one after the other: where both seem to be so, the first one is looked at again,
// and is what it was all the while if it still is. While both agents live, that is also no longer left to the watches.
func (w *world) sample(ctx context.Context) sample {
	s := sample{at: now()}
	for _, r := range w.regions {
		s.views = append(s.views, w.look(r))
	}
	if !bothAuthority(s) && !bothServe(s) && !bothAdmit(s) && !bothWritable(s) {
		return s
	}
	if !w.gone.Load() {
		for i, r := range w.regions {
			r.read(ctx)
			s.views[i] = w.look(r)
		}
		w.regions[0].read(ctx)
	}
	s.views[0] = w.look(w.regions[0])
	return s
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

func bothAuthority(s sample) bool { return s.views[0].Authority && s.views[1].Authority }
func bothAdmit(s sample) bool     { return s.views[0].Admitted && s.views[1].Admitted }
func bothServe(s sample) bool     { return s.views[0].serves() && s.views[1].serves() }
func bothWritable(s sample) bool  { return s.views[0].Writable > 0 && s.views[1].Writable > 0 }

// active reports whether a region's objects are all active, and fenced whether none is.
func (v view) active() bool {
	return v.Routes == v.Databases && v.Admitted && v.Writable == v.Databases && v.Ready
}
func (v view) fenced() bool { return v.Routes == 0 && !v.Admitted && v.Writable == 0 }
