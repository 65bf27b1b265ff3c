package httproute

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// Config says which routes are the layer's.
type Config struct {
	Selector   string   // of labels
	Namespaces []string // none: all

	// GatewayDelay is how long the gateway goes on as before, at most, when a route has
	// changed. The fence is done only when that has passed: another region may serve then.
	GatewayDelay time.Duration
}

// A Layer is the routes of one group.
type Layer struct {
	client *kube.Client
	config Config
	kinds  []*kube.Kind // of routes

	mu sync.Mutex

	// done is what the last attempt has carried out. Of the zero value: it has left something, or there was none.
	done carried

	// changed is when a route was last written. Zero: not known, as before the first fence, which may find what another
	// process has just written, and after an attempt that has left anything; then it is when all routes are seen written.
	changed time.Time
}

// A carried is an order that was carried out.
type carried struct {
	action layers.Action
	order  layers.Order
}

var (
	_ layers.Watcher = (*Layer)(nil)
	_ layers.Checker = (*Layer)(nil)
	_ kube.Permitted = (*Layer)(nil)
)

const group = "gateway.networking.k8s.io"

// versions are those of the Gateway API that routes have been served in, the newest
// first.
var versions = []string{"v1", "v1beta1", "v1alpha3", "v1alpha2"}

// routes are all kinds of routes with backends. A cluster has at least the first, and may get the others at any time.
var routes = []struct{ resource, protocol string }{
	{"httproutes", "TCP"}, {"grpcroutes", "TCP"}, {"tlsroutes", "TCP"}, {"tcproutes", "TCP"}, {"udproutes", "UDP"},
}

// New returns the layer. It asks nobody yet.
func New(client *kube.Client, c Config) *Layer {
	l := &Layer{client: client, config: c}
	for _, r := range routes {
		l.kinds = append(l.kinds, kube.NewKind(client, schema.GroupResource{Group: group, Resource: r.resource}, versions, c.Selector, c.Namespaces))
	}
	return l
}

// find is a kind of routes; nil if the cluster does not have it, and need not. It has HTTPRoute.
func (l *Layer) find(ctx context.Context, i int) (*kube.Set, error) {
	set, err := l.kinds[i].Find(ctx)
	if i > 0 && kube.IsMissing(err) {
		return nil, nil
	}
	return set, err
}

// all are the kinds of routes that the cluster has.
func (l *Layer) all(ctx context.Context) ([]*kube.Set, error) {
	sets, errs := make([]*kube.Set, len(routes)), make([]error, len(routes))
	_ = each(func(i int) error {
		sets[i], errs[i] = l.find(ctx, i)
		return nil
	})
	return slices.DeleteFunc(sets, func(s *kube.Set) bool { return s == nil }), cmp.Or(errs...)
}

// Check asks whether the cluster has routes.
func (l *Layer) Check(ctx context.Context) error {
	_, err := l.all(ctx)
	return err
}

// Permissions are for all kinds of routes, though the cluster may not have them all
// yet, and for the fence Service.
func (l *Layer) Permissions() []kube.Permission {
	var all []kube.Permission
	for _, k := range l.kinds {
		all = append(all, k.Permissions())
	}
	return append(all,
		kube.Permission{Resource: services.Resource, Verbs: []string{"create", "get", "update"}, Namespaces: l.config.Namespaces},
		kube.Permission{Group: endpointSlices.Group, Resource: endpointSlices.Resource, Verbs: []string{"create", "get"}, Namespaces: l.config.Namespaces})
}

// Name is that of the section of the configuration.
func (l *Layer) Name() string { return "httproute" }

// Tier is that of routes.
func (l *Layer) Tier() layers.Tier { return layers.External }

// Activate puts the backends of every route back.
func (l *Layer) Activate(ctx context.Context, order layers.Order) error {
	return l.apply(ctx, layers.Activate, order, activate(order), nil)
}

// Fence points every route at the fence Service, and waits until the gateway has seen
// it.
func (l *Layer) Fence(ctx context.Context, order layers.Order) error {
	err := l.apply(ctx, layers.Fence, order, fence(order), l.ensureServices)
	if err != nil {
		return err
	}
	l.mu.Lock()
	rest := time.Until(l.changed.Add(l.config.GatewayDelay))
	l.mu.Unlock()
	select {
	case <-ctx.Done():
		return fmt.Errorf("every route is fenced; waiting until the gateway has seen it, which may take %v (gateway_delay): %w", l.config.GatewayDelay, context.Cause(ctx))
	case <-time.After(rest):
		return nil
	}
}

// apply edits the routes of all kinds, all at once, when prepare has done what they
// need.
func (l *Layer) apply(ctx context.Context, action layers.Action, order layers.Order, edit kube.Edit, prepare func(context.Context, []*kube.Pass) error) error {
	passes := make([]*kube.Pass, len(routes)) // nil: of kinds that the cluster does not have, or that can't be read
	asked := make([]error, len(routes))
	l.mu.Lock()
	upkeep := l.done == carried{action, order} // a watch looks for what the cluster gets
	l.mu.Unlock()
	err := each(func(i int) (err error) {
		set := l.kinds[i].Known()
		if !upkeep {
			set, asked[i] = l.find(ctx, i)
		}
		if set == nil {
			return nil
		}
		passes[i], err = set.Begin(ctx, action, order, edit)
		return err
	})
	err = errors.Join(cmp.Or(asked...), err)
	// What was read is worked on, whatever else could not be.
	if prepare != nil {
		err = errors.Join(err, prepare(ctx, passes))
	}
	err = errors.Join(err, each(func(i int) error {
		if passes[i] == nil {
			return nil
		}
		return passes[i].Finish(ctx)
	}))
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil: // a write that is not known to have landed may do so yet
		l.done, l.changed = carried{}, time.Time{}
		return err
	case l.changed.IsZero() || slices.ContainsFunc(passes, func(p *kube.Pass) bool { return p != nil && p.Wrote() }):
		l.changed = time.Now()
	}
	l.done = carried{action, order}
	return nil
}

// each does something with all kinds of routes at once.
func each(do func(int) error) error {
	errs := make([]error, len(routes))
	var running sync.WaitGroup
	for i := range routes {
		running.Go(func() { errs[i] = do(i) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// ensureServices sees to the fence Services that the routes need. A namespace in
// which that fails is fenced all the same: its routes then lead nowhere.
func (l *Layer) ensureServices(ctx context.Context, passes []*kube.Pass) error {
	needed := map[string][]port{}
	for i, pass := range passes {
		if pass == nil {
			continue
		}
		for _, route := range pass.Objects {
			for _, rule := range rulesOf(route) {
				if refs := backendsOf(rule); len(refs) > 0 {
					needed[route.GetNamespace()] = append(needed[route.GetNamespace()], port{routes[i].protocol, portOf(refs)})
				}
			}
		}
	}
	var mu sync.Mutex
	var errs []error
	var running sync.WaitGroup
	for namespace, ports := range needed {
		running.Go(func() {
			if err := ensureService(ctx, l.client, namespace, ports); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// Observe looks at the backends of every route. Without any route that leads somewhere
// the layer can't be observed.
func (l *Layer) Observe(ctx context.Context) (layers.State, error) {
	sets, err := l.all(ctx)
	if err != nil {
		return layers.Unknown, err
	}
	fenced, active := 0, 0
	for _, set := range sets {
		routes, err := set.List(ctx)
		if err != nil {
			return layers.Unknown, err
		}
		for _, route := range routes {
			for _, rule := range rulesOf(route) {
				switch refs := backendsOf(rule); {
				case len(refs) == 0:
				case isFence(refs):
					fenced++
				default:
					active++
				}
			}
		}
	}
	switch {
	case fenced > 0 && active == 0:
		return layers.Inactive, nil
	case active > 0 && fenced == 0:
		return layers.Active, nil
	}
	return layers.Unknown, nil
}

// Watch notices what others make of the routes, and which kinds of them the cluster gets.
func (l *Layer) Watch(ctx context.Context, changed func()) {
	_ = each(func(i int) error { l.kinds[i].Watch(ctx, changed); return nil })
}
