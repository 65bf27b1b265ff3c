package cilium

import (
	"context"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// askAgain is how soon a watch asks an API server again that has not answered.
const askAgain = time.Second

// Watch notices what others make of the policy, of Services and of ServiceExports.
func (l *Layer) Watch(ctx context.Context, changed func()) {
	var watches sync.WaitGroup
	watches.Go(func() { l.policy.watch(ctx, changed) })
	watches.Go(func() { l.services.Watch(ctx, changed) })
	watches.Go(func() { l.watchOwed(ctx, changed) })
	watches.Go(func() { l.exports.Watch(ctx, changed) })
	watches.Wait()
}

// watchOwed calls changed when the API server answers again after a fence that it was not
// there for. The other watches may not notice: to them nothing has changed.
func (l *Layer) watchOwed(ctx context.Context, changed func()) {
	tick := time.NewTicker(askAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !l.owed.Load() {
			continue
		}
		asking, cancel := context.WithTimeout(ctx, askAgain)
		_, err := l.client.Resource(policies).Get(asking, l.policy.name, metav1.GetOptions{})
		cancel()
		if !unanswered(err) && l.owed.CompareAndSwap(true, false) {
			changed()
		}
	}
}

// watch calls changed when the policy is not what the newest order has made it.
func (p *policyObject) watch(ctx context.Context, changed func()) {
	only := fields.OneTermEqualSelector(metav1.ObjectNameField, p.name).String()
	in := p.client.Resource(policies)
	informer := cache.NewSharedInformer(cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.FieldSelector = only
			list, err := in.List(ctx, o)
			// Of what is not there no event tells, if it was not there before.
			if err == nil && len(list.Items) == 0 && p.drifted(nil) {
				changed()
			}
			return list, err
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.FieldSelector = only
			return in.Watch(ctx, o)
		},
	}, lists{}), &unstructured.Unstructured{}, 0)
	look := func(obj any) {
		if o, ok := obj.(*unstructured.Unstructured); ok && p.drifted(o) {
			changed()
		}
	}
	informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    look,
		UpdateFunc: func(_, obj any) { look(obj) },
		DeleteFunc: func(any) {
			if p.drifted(nil) {
				changed()
			}
		},
	})
	informer.RunWithContext(ctx)
}

// lists has an informer fill its cache by a list, also where the API server could do it by
// the watch itself: a list can say that there is nothing.
type lists struct{}

func (lists) IsWatchListSemanticsUnSupported() bool { return true }
