package kube

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"

	"github.com/openova-io/failoverd/layers"
)

// An Edit makes an object what it is to be, and reports whether that changed it. It is
// pure: it looks at nothing but the object, and on one that it has edited it changes
// nothing. After an error the object is left as it is.
type Edit func(o *unstructured.Unstructured) (changed bool, err error)

// parallel is how many objects are read or written at once.
const parallel = 64

// page is how many objects one answer to a list holds.
const page = 500

// A Set is the objects of one kind that a layer acts on. Passes must not overlap; Watch
// may run beside them.
type Set struct {
	client     *Client
	resource   schema.GroupVersionResource
	selector   string
	namespaces []string    // none: all
	gone       atomic.Bool // whether the API server has said that it has no such kind

	mu      sync.Mutex
	edit    Edit // of the newest order; nil before the first
	order   layers.Order
	action  layers.Action
	applied bool            // ... by a pass that has left nothing
	drifted map[object]bool // that others have changed since
	begun   map[object]bool // that were written for it, and were not yet what they are to be
}

// object tells objects of a set from one another.
type object struct{ namespace, name string }

func (o object) String() string {
	if o.namespace == "" {
		return o.name
	}
	return o.namespace + "/" + o.name
}

func objectOf(u *unstructured.Unstructured) object { return object{u.GetNamespace(), u.GetName()} }

// NewSet returns the objects of a kind with the labels of a selector, in some
// namespaces, or in all.
func NewSet(client *Client, resource schema.GroupVersionResource, selector string, namespaces []string) *Set {
	if len(namespaces) == 0 {
		namespaces = []string{metav1.NamespaceAll}
	}
	return &Set{client: client, resource: resource, selector: selector, namespaces: namespaces, drifted: map[object]bool{}, begun: map[object]bool{}}
}

// A Pass is one attempt to carry an order out on a set.
type Pass struct {
	Objects []*unstructured.Unstructured // that the attempt looks at

	set    *Set
	edit   Edit
	action layers.Action
	order  layers.Order
	upkeep bool
	wrote  atomic.Bool
}

// Served returns nil if the cluster has this kind of object, and a *MissingKindError if
// it does not. It asks for the list: that takes no other permission than the set needs
// anyhow, and client-go's discovery would bring the types of all of Kubernetes.
func (s *Set) Served(ctx context.Context) error {
	_, err := s.in(s.namespaces[0]).List(ctx, metav1.ListOptions{LabelSelector: s.selector, Limit: 1})
	switch {
	case apierrors.IsNotFound(err):
		s.gone.Store(true)
		return &MissingKindError{s.resource}
	case err != nil:
		return fmt.Errorf("ask the API server for its %s: %w", s.resource.Resource, err)
	}
	return nil
}

// Begin makes edit what the objects are to be. The pass looks at all of them, or, when
// the order has been carried out already, at those that others have changed since.
func (s *Set) Begin(ctx context.Context, action layers.Action, order layers.Order, edit Edit) (*Pass, error) {
	p := &Pass{set: s, edit: edit, action: action, order: order}
	s.mu.Lock()
	same := s.action == action && s.order == order
	p.upkeep = s.applied && same
	if !same {
		s.begun = map[object]bool{}
	}
	s.edit, s.action, s.order, s.applied = edit, action, order, false
	drifted := s.drifted
	s.drifted = map[object]bool{}
	s.mu.Unlock()
	var err error
	if p.upkeep {
		p.Objects, err = s.read(ctx, drifted)
	} else {
		p.Objects, err = s.List(ctx)
	}
	if err != nil {
		return nil, err
	}
	return p, nil
}

// ordered reports whether there was an order for the set.
func (s *Set) ordered() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.edit != nil
}

// Finish edits the objects and writes those that this changed. It returns an
// *Unfinished if not all are what they are to be.
func (p *Pass) Finish(ctx context.Context) error {
	return p.finish(each(p.Objects, parallel, func(o *unstructured.Unstructured) error { return p.Write(ctx, o) }))
}

// Each does something with all objects at once, which has Write among it: none waits
// for another. It returns an *Unfinished if that failed for some; the pass has then not
// carried the order out.
func (p *Pass) Each(do func(*unstructured.Unstructured) error) error {
	return p.finish(each(p.Objects, len(p.Objects), do))
}

func (p *Pass) finish(left []Left) error {
	s := p.set
	s.client.Metrics.left.WithLabelValues(s.resource.Resource).Set(float64(len(left)))
	s.mu.Lock()
	s.applied = len(left) == 0
	s.mu.Unlock()
	p.record(left)
	return unfinished(s.resource.Resource, len(p.Objects), left)
}

// record tells what the order has come to, for each object that was written or is left.
// It does so once all writes are done: nothing of it takes their time.
func (p *Pass) record(left []Left) {
	failed := map[string]error{}
	for _, l := range left {
		failed[l.Object] = l.Err
	}
	s := p.set
	for _, o := range p.Objects {
		name := objectOf(o)
		err := failed[name.String()]
		s.mu.Lock()
		begun := s.begun[name]
		if err == nil {
			delete(s.begun, name)
		}
		s.mu.Unlock()
		if begun || err != nil {
			s.client.Record(Event{Object: ReferenceTo(o), Action: p.action, Order: p.order, Again: p.upkeep, Err: err})
		}
	}
}

// Write edits one object and writes it, if that changed it.
func (p *Pass) Write(ctx context.Context, o *unstructured.Unstructured) error {
	changed, err := p.set.write(ctx, o, p.edit)
	if changed {
		p.wrote.Store(true)
		p.set.mu.Lock()
		p.set.begun[objectOf(o)] = true
		p.set.mu.Unlock()
	}
	if changed && p.upkeep {
		p.set.client.Metrics.drift.WithLabelValues(p.set.resource.Resource).Inc()
	}
	return err
}

// Wrote reports whether the pass has written any object, or may have: a write that failed may have landed.
func (p *Pass) Wrote() bool { return p.wrote.Load() }

// write edits an object and writes it, until that is done or can't be. It reports whether it may have been written: one
// that is not known to be, or that conflicts, may have been, as client-go sends some again.
func (s *Set) write(ctx context.Context, o *unstructured.Unstructured, edit Edit) (wrote bool, err error) {
	resource := s.in(o.GetNamespace())
	for {
		changed, err := edit(o)
		if err != nil || !changed {
			return wrote, err
		}
		_, err = resource.Update(ctx, o, metav1.UpdateOptions{FieldManager: FieldManager})
		switch {
		case err == nil:
			s.count("ok")
			return true, nil
		case apierrors.IsNotFound(err):
			return false, nil // not of the set any more
		case !apierrors.IsConflict(err):
			s.count("error")
			return true, err
		}
		wrote = true
		s.count("conflict")
		o, err = resource.Get(ctx, o.GetName(), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err) || err == nil && !s.selects(o):
			return false, nil // not of the set any more
		case err != nil:
			return true, err
		}
	}
}

func (s *Set) count(outcome string) {
	s.client.Metrics.writes.WithLabelValues(s.resource.Resource, outcome).Inc()
}

func (s *Set) in(namespace string) dynamic.ResourceInterface {
	if namespace == "" {
		return s.client.Resource(s.resource)
	}
	return s.client.Resource(s.resource).Namespace(namespace)
}

// List reads all objects from the API server.
func (s *Set) List(ctx context.Context) ([]*unstructured.Unstructured, error) {
	var out []*unstructured.Unstructured
	for _, ns := range s.namespaces {
		options := metav1.ListOptions{LabelSelector: s.selector, Limit: page}
		for {
			list, err := s.in(ns).List(ctx, options)
			if apierrors.IsNotFound(err) {
				s.gone.Store(true)
			}
			if err != nil {
				return nil, fmt.Errorf("list %s: %w", s.resource.Resource, err)
			}
			for i := range list.Items {
				out = append(out, &list.Items[i])
			}
			if options.Continue = list.GetContinue(); options.Continue == "" {
				break
			}
		}
	}
	return out, nil
}

// read reads some objects; those that are gone, or not of the set any more, are left
// out.
func (s *Set) read(ctx context.Context, which map[object]bool) ([]*unstructured.Unstructured, error) {
	var mu sync.Mutex
	var out []*unstructured.Unstructured
	var names []object
	for o := range which {
		names = append(names, o)
	}
	left := each(names, parallel, func(o object) error {
		got, err := s.in(o.namespace).Get(ctx, o.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) || err == nil && !s.selects(got) {
			return nil
		}
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		out = append(out, got)
		return nil
	})
	return out, unfinished(s.resource.Resource, len(names), left)
}

// each does something to all of them, some at once, and returns those for which it
// failed.
func each[T any](all []T, atOnce int, do func(T) error) (left []Left) {
	for i, err := range AtOnce(all, atOnce, do) {
		if err != nil {
			left = append(left, Left{fmt.Sprint(name(all[i])), err})
		}
	}
	return left
}

// AtOnce does something to all of them, some at once, and returns the error of each.
func AtOnce[T any](all []T, atOnce int, do func(T) error) []error {
	errs := make([]error, len(all))
	room := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i, x := range all {
		room <- struct{}{}
		running.Go(func() {
			defer func() { <-room }()
			errs[i] = do(x)
		})
	}
	running.Wait()
	return errs
}

func name(x any) any {
	if o, ok := x.(*unstructured.Unstructured); ok {
		return objectOf(o)
	}
	return x
}
