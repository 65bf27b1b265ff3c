package kube

import (
	"context"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// Watch calls changed when an object is not, or no longer, what the newest order has
// made it: others have written it, or it is new. It returns when ctx ends.
func (s *Set) Watch(ctx context.Context, changed func()) {
	var watches sync.WaitGroup
	for _, ns := range s.namespaces {
		// Not dynamicinformer's: that brings all typed clients with it.
		informer := cache.NewSharedInformer(&cache.ListWatch{
			ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
				o.LabelSelector = s.selector
				return s.in(ns).List(ctx, o)
			},
			WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
				o.LabelSelector = s.selector
				return s.in(ns).Watch(ctx, o)
			},
		}, &unstructured.Unstructured{}, 0)
		look := func(obj any) {
			if o, ok := obj.(*unstructured.Unstructured); ok && s.Drifted(o) {
				changed()
			}
		}
		informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: look, UpdateFunc: func(_, obj any) { look(obj) }})
		watches.Go(func() { informer.RunWithContext(ctx) })
	}
	watches.Wait()
}

// Drifted reports whether the newest order would change an object. If so the next
// attempt looks at it.
func (s *Set) Drifted(o *unstructured.Unstructured) bool {
	s.mu.Lock()
	edit := s.edit
	s.mu.Unlock()
	if edit == nil {
		return false
	}
	// An object that the edit refuses is looked at by an attempt too: that reports it.
	if changed, err := edit(o.DeepCopy()); !changed && err == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drifted[objectOf(o)] = true
	return true
}

// selects reports whether an object bears the labels of the set.
func (s *Set) selects(o *unstructured.Unstructured) bool {
	selector, err := labels.Parse(s.selector)
	return err == nil && selector.Matches(labels.Set(o.GetLabels()))
}
