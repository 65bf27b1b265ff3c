package strimzi

import (
	"context"
	"encoding/json"
	"errors"

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
	client    *kube.Client
	board     layers.Board
	set       *kube.Set
	publisher kube.Publisher
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
	return &Layer{client: client, board: board, set: kube.NewSet(client, mirrorMakers, c.Selector, c.Namespaces), publisher: kube.NewPublisher()}
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
		l.publisher.Now()
		return nil
	})
}

// Fence has data of the region that is active now mirrored into this one, as far as that
// has said that it takes none from here.
func (l *Layer) Fence(ctx context.Context, order layers.Order) error {
	pass, err := l.set.Begin(ctx, layers.Fence, order, fence(order, func(o *unstructured.Unstructured) (said, bool) {
		return leaderOf(o, l.board.Notes(l.Name()))
	}))
	if err != nil {
		return err
	}
	return pass.Finish(ctx)
}

// await waits until a resource has stopped, and returns what was missing last if that
// takes long.
func (l *Layer) await(ctx context.Context, o *unstructured.Unstructured) error {
	in := l.client.Resource(mirrorMakers).Namespace(o.GetNamespace())
	started := false
	err := kube.Poll(ctx, func(bool) error {
		now, err := in.Get(ctx, o.GetName(), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			return nil
		case err != nil:
			return err
		}
		if started = !allStopped(now); started {
			return nil
		}
		return settled(now)
	})
	if started {
		return errors.New("somebody has started it again") // the next attempt stops it
	}
	return err
}

// Observe says active if nothing is mirrored into this region, and inactive if all that
// can be is. Without any connector, and while Strimzi does not say that those have stopped
// which are to, the layer can't be observed.
func (l *Layer) Observe(ctx context.Context) (layers.State, error) {
	list, err := l.set.List(ctx)
	if err != nil {
		return layers.Unknown, err
	}
	stopped, running := 0, 0
	for _, o := range list {
		for _, c := range connectorsOf(o) {
			switch state, _ := c.state(); {
			case state != stateStopped:
				running++
			case settled(o) != nil:
				return layers.Unknown, nil
			default:
				stopped++
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

// Watch notices what others make of the resources, publishes what they are, and has them
// looked at when what other regions say lets more of them run, or less.
func (l *Layer) Watch(ctx context.Context, changed func()) {
	l.publisher.Watch(ctx, l.set, changed, l.publishAll)
}

func (l *Layer) publishAll(ctx context.Context, changed func()) (soon bool) {
	ctx, cancel := context.WithTimeout(ctx, kube.PublishEvery)
	defer cancel()
	list, err := l.set.List(ctx)
	if err != nil {
		return false
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
		return false // it holds nothing that JSON can't
	}
	l.board.Publish(l.Name(), string(text))
	return false
}
