package strimzi

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// Config says which resources are the layer's.
type Config struct {
	Selector   string   // of labels
	Namespaces []string // none: all
}

// A Layer is the KafkaMirrorMaker2 resources of one group.
type Layer struct {
	client  *kube.Client
	board   layers.Board
	set     *kube.Set
	publish chan struct{} // asks Watch to publish now
}

var (
	_ layers.Watcher = (*Layer)(nil)
	_ layers.Checker = (*Layer)(nil)
	_ layers.Finder  = (*Layer)(nil)
	_ kube.Permitted = (*Layer)(nil)
)

var mirrorMakers = schema.GroupVersionResource{Group: "kafka.strimzi.io", Version: "v1", Resource: "kafkamirrormaker2s"}

// New returns the layer. It asks nobody yet.
func New(client *kube.Client, board layers.Board, c Config) *Layer {
	return &Layer{client: client, board: board, set: kube.NewSet(client, mirrorMakers, c.Selector, c.Namespaces), publish: make(chan struct{}, 1)}
}

// Name is that of the section of the configuration.
func (l *Layer) Name() string { return "strimzi" }

// Tier is that of the mirroring between databases.
func (l *Layer) Tier() layers.Tier { return layers.Data }

// Check asks whether the cluster has the kind of resource.
func (l *Layer) Check(ctx context.Context) error { return l.set.Served(ctx) }

// Permissions are what the layer has to be allowed.
func (l *Layer) Permissions() []kube.Permission { return []kube.Permission{l.set.Permissions()} }

// Activate stops all that is mirrored into this region, and waits until it has stopped.
func (l *Layer) Activate(ctx context.Context, order layers.Order) error {
	pass, err := l.set.Begin(ctx, layers.Activate, order, activate(order))
	if err != nil {
		return err
	}
	return pass.Each(func(o *unstructured.Unstructured) error {
		if err := pass.Write(ctx, o); err != nil {
			return err
		}
		if err := l.await(ctx, o); err != nil {
			return err
		}
		l.publishNow()
		return nil
	})
}

// Fence has data of the region that is active now mirrored into this one, as far as that
// has said that it takes none from here.
func (l *Layer) Fence(ctx context.Context, order layers.Order) error {
	pass, err := l.set.Begin(ctx, layers.Fence, order, fence(func(o *unstructured.Unstructured) (said, bool) {
		return leaderOf(o, l.board.Notes(l.Name()))
	}))
	if err != nil {
		return err
	}
	return pass.Finish(ctx)
}

const (
	firstPoll   = 50 * time.Millisecond
	slowestPoll = time.Second

	// attemptTime is after how long an attempt that waits says what for.
	attemptTime = 3 * time.Second
)

// await waits until a resource has stopped, and returns what was missing last if that
// takes long.
func (l *Layer) await(ctx context.Context, o *unstructured.Unstructured) error {
	ends := time.Now().Add(attemptTime)
	in := l.client.Resource(mirrorMakers).Namespace(o.GetNamespace())
	for pause := firstPoll; ; pause = min(pause*3/2, slowestPoll) {
		now, err := in.Get(ctx, o.GetName(), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err == nil && !allStopped(now):
			return fmt.Errorf("somebody has started it again") // the next attempt stops it
		case err == nil:
			err = settled(now)
		}
		if err == nil || time.Now().Add(pause).After(ends) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// Observe says active if nothing is mirrored into this region, and inactive if all that
// can be is. Without any connector the layer can't be observed.
func (l *Layer) Observe(ctx context.Context) (layers.State, error) {
	list, err := l.set.List(ctx)
	if err != nil {
		return layers.Unknown, err
	}
	stopped, running := 0, 0
	for _, o := range list {
		for _, c := range connectorsOf(o) {
			if state, _ := c.state(); state == stateStopped && settled(o) == nil {
				stopped++
			} else {
				running++
			}
		}
	}
	switch {
	case stopped > 0 && running == 0:
		return layers.Active, nil
	case running > 0 && stopped == 0:
		return layers.Inactive, nil
	}
	return layers.Unknown, nil
}

const (
	// publishEvery is how late other regions hear that a resource has stopped, and this
	// one looks at what they say.
	publishEvery = 5 * time.Second
	publishPause = 200 * time.Millisecond // between two times, at least
)

// Watch notices what others make of the resources, publishes what they are, and has them
// looked at when what other regions say lets more of them run, or less.
func (l *Layer) Watch(ctx context.Context, changed func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		l.set.Watch(ctx, changed)
	}()
	defer func() { <-done }()
	for {
		l.publishAll(ctx, changed)
		select {
		case <-ctx.Done():
			return
		case <-time.After(publishPause):
		}
		select {
		case <-ctx.Done():
			return
		case <-l.publish:
		case <-time.After(publishEvery):
		}
	}
}

// publishNow has Watch publish without waiting for the time to come.
func (l *Layer) publishNow() {
	select {
	case l.publish <- struct{}{}:
	default: // it is about to
	}
}

func (l *Layer) publishAll(ctx context.Context, changed func()) {
	ctx, cancel := context.WithTimeout(ctx, publishEvery)
	defer cancel()
	list, err := l.set.List(ctx)
	if err != nil {
		return
	}
	all := make([]said, len(list))
	for i, o := range list {
		all[i] = say(o)
		if l.set.Drifted(o) {
			changed()
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		return // it holds nothing that JSON can't
	}
	l.board.Publish(l.Name(), string(text))
}
