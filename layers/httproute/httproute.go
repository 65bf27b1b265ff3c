package httproute

import (
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

	mu    sync.Mutex
	known []kind // once the API server has said which it has

	// changed is when a route was last written. Zero: not known, as before the first fence, which may find what another
	// process has just written, and after an attempt that has left anything; then it is when all routes are seen written.
	changed time.Time
}

// A kind is one kind of route that the cluster has.
type kind struct {
	set      *kube.Set
	protocol string // of its backends
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

// routes are all kinds of routes with backends. A cluster has at least the first.
var routes = []struct{ resource, protocol string }{
	{"httproutes", "TCP"}, {"grpcroutes", "TCP"}, {"tlsroutes", "TCP"}, {"tcproutes", "TCP"}, {"udproutes", "UDP"},
}

// New returns the layer. It asks nobody yet.
func New(client *kube.Client, c Config) *Layer { return &Layer{client: client, config: c} }

// kinds asks the API server which kinds of routes it has, until it has answered once.
// It returns a *kube.MissingKindError if that has no HTTPRoute.
func (l *Layer) kinds(ctx context.Context) ([]kind, error) {
	l.mu.Lock()
	known := l.known
	l.mu.Unlock()
	if known != nil {
		return known, nil
	}
	// Not under the lock: an API server that hangs must not have one attempt wait for
	// another. All at once: one that has just started takes a second over each.
	sets, errs := make([]*kube.Set, len(routes)), make([]error, len(routes))
	var asking sync.WaitGroup
	for i, r := range routes {
		asking.Go(func() { sets[i], errs[i] = l.served(ctx, r.resource) })
	}
	asking.Wait()
	var found []kind
	for i, err := range errs {
		var missing *kube.MissingKindError
		switch {
		case errors.As(err, &missing) && i > 0:
		case err != nil:
			return nil, err
		default:
			found = append(found, kind{sets[i], routes[i].protocol})
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil { // the sets of whoever was first are those that have a memory
		l.known = found
	}
	return l.known, nil
}

// Check asks whether the cluster has routes.
func (l *Layer) Check(ctx context.Context) error {
	_, err := l.kinds(ctx)
	return err
}

// served is the routes of a kind in the newest version in which the cluster has them.
func (l *Layer) served(ctx context.Context, resource string) (*kube.Set, error) {
	var first error
	for _, v := range versions {
		set := l.set(v, resource)
		err := set.Served(ctx)
		var missing *kube.MissingKindError
		if !errors.As(err, &missing) {
			return set, err
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

func (l *Layer) set(version, resource string) *kube.Set {
	gvr := schema.GroupVersionResource{Group: group, Version: version, Resource: resource}
	return kube.NewSet(l.client, gvr, l.config.Selector, l.config.Namespaces)
}

// Permissions are for all kinds of routes, though the cluster may not have them all
// yet, and for the fence Service.
func (l *Layer) Permissions() []kube.Permission {
	var all []kube.Permission
	for _, r := range routes {
		all = append(all, l.set(versions[0], r.resource).Permissions())
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
func (l *Layer) apply(ctx context.Context, action layers.Action, order layers.Order, edit kube.Edit, prepare func(context.Context, []kind, []*kube.Pass) error) error {
	kinds, err := l.kinds(ctx)
	if err != nil {
		return err
	}
	passes := make([]*kube.Pass, len(kinds))
	err = each(kinds, func(i int, k kind) (err error) {
		passes[i], err = k.set.Begin(ctx, action, order, edit)
		return err
	})
	// What was read is worked on, whatever else could not be.
	if prepare != nil {
		err = errors.Join(err, prepare(ctx, kinds, passes))
	}
	err = errors.Join(err, each(kinds, func(i int, _ kind) error {
		if passes[i] == nil {
			return nil
		}
		return passes[i].Finish(ctx)
	}))
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil: // a write that is not known to have landed may do so yet
		l.changed = time.Time{}
	case l.changed.IsZero() || slices.ContainsFunc(passes, (*kube.Pass).Wrote):
		l.changed = time.Now()
	}
	return err
}

// each does something with all kinds at once.
func each(kinds []kind, do func(int, kind) error) error {
	errs := make([]error, len(kinds))
	var running sync.WaitGroup
	for i, k := range kinds {
		running.Go(func() { errs[i] = do(i, k) })
	}
	running.Wait()
	return errors.Join(errs...)
}

// ensureServices sees to the fence Services that the routes need. A namespace in
// which that fails is fenced all the same: its routes then lead nowhere.
func (l *Layer) ensureServices(ctx context.Context, kinds []kind, passes []*kube.Pass) error {
	needed := map[string][]port{}
	for i, pass := range passes {
		if pass == nil {
			continue
		}
		for _, route := range pass.Objects {
			for _, rule := range rulesOf(route) {
				if refs := backendsOf(rule); len(refs) > 0 {
					needed[route.GetNamespace()] = append(needed[route.GetNamespace()], port{kinds[i].protocol, portOf(refs)})
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
	kinds, err := l.kinds(ctx)
	if err != nil {
		return layers.Unknown, err
	}
	fenced, active := 0, 0
	for _, k := range kinds {
		routes, err := k.set.List(ctx)
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

// Watch notices what others make of the routes.
func (l *Layer) Watch(ctx context.Context, changed func()) {
	ask := func() ([]kind, error) {
		ctx, cancel := context.WithTimeout(ctx, askFor)
		defer cancel()
		return l.kinds(ctx)
	}
	kinds, err := ask()
	for err != nil {
		select {
		case <-ctx.Done():
			return
		case <-time.After(askAgain):
			kinds, err = ask()
		}
	}
	_ = each(kinds, func(_ int, k kind) error { k.set.Watch(ctx, changed); return nil })
}

// A watch asks an API server for so long, and again so soon, until it has told which
// kinds it has. Attempts ask too, so nothing but the noticing of changes waits for it.
const (
	askAgain = time.Second
	askFor   = 10 * time.Second
)
