package cnpg

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// Config says which Clusters are the layer's.
type Config struct {
	Selector   string   // of labels
	Namespaces []string // none: all

	MaxLag       uint64        // bytes that a promotion without a token may lose
	Silence      time.Duration // after which a region from which nothing new comes is gone
	FenceTimeout time.Duration // that stopping has, which Findings compares with
}

// A Layer is the Clusters of one group.
type Layer struct {
	client    *kube.Client
	board     layers.Board
	config    Config
	set       *kube.Set
	instances *instances
	publisher kube.Publisher
	ear       ear

	publishing sync.Mutex // held while a note is made and published, so that none is overtaken

	promoted, stopped logbook

	mu      sync.Mutex
	fencing standing
	known   map[string]seen   // positions, by namespace/name
	follows map[string]uint64 // the epoch of the primary whose writes were last seen to arrive, by namespace/name
	token   map[string]had    // the newest token, by namespace/name
	behind  []string          // what Behind returns
}

// A seen is a position that was read.
type seen struct {
	position
	at       time.Time
	streamed lsn // up to where it had come by streaming, if it streamed just then
}

// A standing is an order to fence, and when it first came.
type standing struct {
	order layers.Order
	since time.Time
}

// A had is a token of another region, and when it was first here.
type had struct {
	token string
	since time.Time
}

var (
	_ layers.Watcher  = (*Layer)(nil)
	_ layers.Checker  = (*Layer)(nil)
	_ layers.Finder   = (*Layer)(nil)
	_ layers.Follower = (*Layer)(nil)
	_ layers.Bearer   = (*Layer)(nil)
	_ kube.Permitted  = (*Layer)(nil)
)

var clusters = schema.GroupVersionResource{Group: "postgresql.cnpg.io", Version: "v1", Resource: "clusters"}

// New returns the layer. It asks nobody yet.
func New(client *kube.Client, board layers.Board, c Config) (*Layer, error) {
	instances, err := newInstances(client, c.Namespaces)
	if err != nil {
		return nil, err
	}
	return &Layer{
		client: client, board: board, config: c, instances: instances,
		set:       kube.NewSet(client, clusters, c.Selector, c.Namespaces),
		publisher: kube.NewPublisher(),
		known:     map[string]seen{},
		follows:   map[string]uint64{},
		token:     map[string]had{},
		ear:       ear{read: map[lease.Region]reading{}},
	}, nil
}

// Name is that of the section of the configuration.
func (l *Layer) Name() string { return "cnpg" }

// Tier is that of databases.
func (l *Layer) Tier() layers.Tier { return layers.Data }

// Check asks whether the cluster has Clusters.
func (l *Layer) Check(ctx context.Context) error { return l.set.Served(ctx) }

// Permissions are what the layer has to be allowed.
func (l *Layer) Permissions() []kube.Permission {
	return append(l.instances.permissions(), l.set.Permissions())
}

// Fence demotes and stops every Cluster, and waits until none accepts writes. If the
// region ends after it, Fence also waits for a while for the tokens, and publishes them:
// nobody would do that later.
func (l *Layer) Fence(ctx context.Context, order layers.Order) error {
	edit := fence(order, func(c cluster) string { return leaderOf(c, l.hear(c)) })
	pass, err := l.set.Begin(ctx, layers.Fence, order, edit)
	if err != nil {
		return err
	}
	pods := sync.OnceValues(func() (map[string][]unstructured.Unstructured, error) { return l.instances.all(ctx) })
	last := order.Reason == lease.ReasonReleased
	l.standing(order) // from now on
	err = pass.Each(func(o *unstructured.Unstructured) error {
		return l.until(ctx, o, func(c cluster, again bool) error {
			if err := pass.Write(ctx, c.Unstructured); err != nil {
				if operatorDown(err) && !l.patient(order) {
					err = errors.Join(err, l.instances.kill(ctx, c))
				}
				return err
			}
			l.publisher.Now()
			by, err := pods()
			of := by[c.String()]
			if again || err != nil {
				of, err = l.instances.of(ctx, c)
			}
			if err != nil {
				return err
			}
			if err := l.inactive(ctx, c, of); err != nil {
				return err
			}
			l.stops(c, order)
			if last && roleOf(c) == demoting && l.standing(order) < tokenTime {
				return errors.New("it accepts no writes; waiting for the operator to leave its demotion token")
			}
			return nil
		})
	})
	if last && err == nil {
		l.publishAll(ctx, func() {})
	}
	return err
}

// tokenTime is how long a region that ends waits for its tokens.
const tokenTime = 5 * time.Second

// standing is for how long an order to fence has stood.
func (l *Layer) standing(order layers.Order) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fencing.order != order {
		l.fencing = standing{order, time.Now()}
	}
	return time.Since(l.fencing.since)
}

// Activate promotes every Cluster, and waits until all accept writes.
func (l *Layer) Activate(ctx context.Context, order layers.Order) error {
	var decided sync.Map // namespace/name -> promotion
	edit := activate(order, func(c cluster) (promotion, error) {
		p, ok := decided.Load(c.String())
		if !ok {
			return promotion{}, errors.New("it is a replica")
		}
		return p.(promotion), nil
	})
	pass, err := l.set.Begin(ctx, layers.Activate, order, edit)
	if err != nil {
		return err
	}
	return pass.Each(func(o *unstructured.Unstructured) error {
		return l.until(ctx, o, func(c cluster, _ bool) error {
			if c.isReplica() && c.distributed() && !c.deleted() && !c.hibernated() {
				p, err := l.decide(ctx, c, order)
				if err != nil {
					return err
				}
				decided.Store(c.String(), p)
			}
			if err := pass.Write(ctx, c.Unstructured); err != nil {
				return err
			}
			err := l.active(ctx, c)
			if err == nil {
				l.publisher.Now()
			}
			return err
		})
	})
}

// decide is how a replica is promoted.
func (l *Layer) decide(ctx context.Context, c cluster, order layers.Order) (promotion, error) {
	all := l.hear(c)
	own, err := l.own(ctx, c)
	if err != nil && needsPosition(c, order, all) {
		return promotion{}, fmt.Errorf("how far the data has come is not known: %w", err)
	}
	last, _ := newest(all, order.Epoch)
	l.mu.Lock()
	follows := last.Epoch > 0 && l.follows[c.String()] == last.Epoch
	l.mu.Unlock()
	p, err := decide(c, order, all, own, follows, limits{l.config.MaxLag, l.config.Silence}, l.since(c, order, all))
	if err == nil {
		l.promotes(c, order, all, own, p)
	}
	return p, err
}

// own is how far the data of a Cluster has come; the zero value with an error.
func (l *Layer) own(ctx context.Context, c cluster) (position, error) {
	pod := c.text("status", "currentPrimary")
	if pod == "" {
		return position{}, errors.New("waiting for the operator, which has named no designated primary yet")
	}
	answer, err := l.instances.ask(ctx, c.GetNamespace(), pod)
	if err != nil {
		return position{}, err
	}
	return answer.position()
}

// since is for how long the token of a promotion has been here.
func (l *Layer) since(c cluster, order layers.Order, all []heard) time.Duration {
	last, _ := newest(all, order.Epoch)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.token[c.String()].token != last.Token {
		l.token[c.String()] = had{last.Token, time.Now()}
	}
	return time.Since(l.token[c.String()].since)
}

func (l *Layer) hear(c cluster) []heard { return l.ear.hear(c, l.board.Notes(l.Name())) }

// until does something with a Cluster, read anew each time, until that succeeds, and
// returns what was missing last if that takes long.
func (l *Layer) until(ctx context.Context, o *unstructured.Unstructured, do func(c cluster, again bool) error) error {
	return kube.Poll(ctx, func(again bool) error {
		if again {
			next, err := l.client.Resource(clusters).Namespace(o.GetNamespace()).Get(ctx, o.GetName(), metav1.GetOptions{})
			switch {
			case apierrors.IsNotFound(err):
				return nil
			case err == nil:
				o = next
			}
		}
		return do(cluster{o}, again)
	})
}

// Observe looks at every Cluster and its instances. Without any the layer can't be
// observed.
func (l *Layer) Observe(ctx context.Context) (layers.State, error) {
	list, err := l.set.List(ctx)
	if err != nil {
		return layers.Unknown, err
	}
	pods, err := l.instances.all(ctx)
	if err != nil {
		return layers.Unknown, err
	}
	inactive, active := make([]error, len(list)), make([]error, len(list))
	all(len(list), func(i int) {
		c := cluster{list[i]}
		if inactive[i] = l.inactive(ctx, c, pods[c.String()]); inactive[i] != nil {
			active[i] = l.active(ctx, c)
		} else {
			active[i] = errors.New("it accepts no writes")
		}
	})
	switch {
	case len(list) == 0:
		return layers.Unknown, nil
	case errors.Join(inactive...) == nil:
		return layers.Inactive, nil
	case errors.Join(active...) == nil:
		return layers.Active, nil
	}
	return layers.Unknown, nil
}

// all does something n times at once.
func all(n int, do func(i int)) {
	var running sync.WaitGroup
	for i := range n {
		running.Go(func() { do(i) })
	}
	running.Wait()
}
