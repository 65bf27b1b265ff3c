package kube

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/runtime/schema"
)

// A Kind is a kind of objects that a layer acts on where the cluster has it. The cluster may get
// it at any time, and serve it in another version.
type Kind struct {
	client     *Client
	resource   schema.GroupResource
	versions   []string
	selector   string
	namespaces []string

	mu    sync.Mutex
	known *Set // nil until the API server has said that it has the kind
}

// NewKind returns a kind that clusters have in one of some versions, the newest first. It asks
// nobody yet.
func NewKind(client *Client, resource schema.GroupResource, versions []string, selector string, namespaces []string) *Kind {
	return &Kind{client: client, resource: resource, versions: versions, selector: selector, namespaces: namespaces}
}

// Permissions are what the set of the kind needs, whether or not the cluster has it.
func (k *Kind) Permissions() Permission { return k.set(k.versions[0]).Permissions() }

func (k *Kind) set(version string) *Set {
	return NewSet(k.client, k.resource.WithVersion(version), k.selector, k.namespaces)
}

// Known is the set of the kind, if the API server has said that it has it, and has not denied
// that since; nil else.
func (k *Kind) Known() *Set {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil || k.known.gone.Load() {
		return nil
	}
	return k.known
}

// Find is Known, for which the API server is asked if need be. It returns a *MissingKindError if
// that does not have the kind.
func (k *Kind) Find(ctx context.Context) (*Set, error) {
	if known := k.Known(); known != nil {
		return known, nil
	}
	// Not under the lock: an API server that hangs must not have one attempt wait for another.
	found, err := k.ask(ctx)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil || k.known.gone.Load() { // the set of whoever was first is the one that has a memory
		k.known = found
	}
	return k.known, nil
}

// ask asks for the newest version, and if that is missing for all others at once: a fence waits, and an API server that
// has just started takes a second over each.
func (k *Kind) ask(ctx context.Context) (*Set, error) {
	newest := k.set(k.versions[0])
	missing := newest.Served(ctx)
	if !IsMissing(missing) {
		return newest, missing
	}
	var older []*Set
	for _, v := range k.versions[1:] {
		older = append(older, k.set(v))
	}
	for i, err := range AtOnce(older, len(older), func(s *Set) error { return s.Served(ctx) }) {
		if !IsMissing(err) {
			return older[i], err
		}
	}
	return nil, missing
}

// Watch calls changed as that of the set does, and when the cluster has got the kind, or has it
// in another version. It returns when ctx ends.
func (k *Kind) Watch(ctx context.Context, changed func()) {
	late := false // the standing order may have been carried out without it
	for pause := time.Duration(0); wait(ctx, pause); {
		asking, cancel := context.WithTimeout(ctx, askFor)
		set, err := k.Find(asking)
		cancel()
		switch {
		case IsMissing(err):
			late, pause = true, lookAgain
			continue
		case err != nil:
			pause = askAgain
			continue
		}
		watching, stop := context.WithCancel(ctx)
		var watcher sync.WaitGroup
		watcher.Go(func() { set.Watch(watching, changed) })
		for k.Known() == set {
			if late && !set.ordered() {
				changed()
			}
			late = true
			if !wait(ctx, lookAgain) {
				break
			}
			asking, cancel := context.WithTimeout(ctx, askFor)
			_ = set.Served(asking) // one that is gone notes that
			cancel()
		}
		stop()
		watcher.Wait()
		pause = 0
	}
}

// A watch asks an API server for so long, and again so soon, until it has told whether it has a
// kind, and now and then whether that is still so. Attempts ask too, so nothing but the noticing
// of changes waits for it.
const (
	askFor    = 10 * time.Second
	askAgain  = time.Second
	lookAgain = time.Minute
)

// wait reports whether there is more to do after a time.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	return ctx.Err() == nil
}

// IsMissing reports whether an error is a *MissingKindError.
func IsMissing(err error) bool {
	var missing *MissingKindError
	return errors.As(err, &missing)
}
