package cilium

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// Config says what the layer acts on.
type Config struct {
	Group          string   // the failover group, which names the policy
	Selector       string   // of labels: Services, ServiceExports and pods
	Namespaces     []string // none: all
	Socket         string   // of the Cilium agent of this node; empty: none
	StaticPolicies string   // the directory of the agent's --static-cnp-path; empty: none
}

// A Layer is the Services and the pods of one group.
type Layer struct {
	client   *kube.Client
	config   Config
	selector labels.Selector
	services *kube.Set
	exports  *kube.Kind
	policy   policyObject
	static   *staticFile // nil: none
	agent    *agent      // nil: none

	// What was found out once. It is locked while somebody is asked, for a bounded time.
	nameMu sync.Mutex
	name   string // of the cluster in the mesh; empty: not known yet

	owed atomic.Bool // whether a fence stands that the API server does not know of
}

var (
	_ layers.Watcher = (*Layer)(nil)
	_ layers.Checker = (*Layer)(nil)
)

var (
	policies = schema.GroupVersionResource{Group: "cilium.io", Version: "v2", Resource: "ciliumclusterwidenetworkpolicies"}
	services = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	exports  = schema.GroupResource{Group: "multicluster.x-k8s.io", Resource: "serviceexports"}
)

// exportVersions are those of the Multi-Cluster Services API that Cilium has served, the
// newest first.
var exportVersions = []string{"v1beta1", "v1alpha1"}

// New returns the layer. It asks nobody yet. It returns an error for a selector that a policy
// can't say.
func New(client *kube.Client, c Config) (*Layer, error) {
	selector, err := parseSelector(c.Selector)
	if err != nil {
		return nil, err
	}
	l := &Layer{
		client: client, config: c, selector: selector,
		services: kube.NewSet(client, services, c.Selector, c.Namespaces),
		exports:  kube.NewKind(client, exports, exportVersions, c.Selector, c.Namespaces),
		policy:   policyObject{client: client, name: policyName(c.Group)},
	}
	if c.StaticPolicies != "" {
		l.static = newStaticFile(c.StaticPolicies, policyName(c.Group))
	}
	if c.Socket != "" {
		l.agent = newAgent(c.Socket)
	}
	return l, nil
}

// Name is that of the section of the configuration.
func (l *Layer) Name() string { return "cilium" }

// Tier is that of Services.
func (l *Layer) Tier() layers.Tier { return layers.Internal }

// Fence writes the policy, by the API server and by the static file, and steers Services
// away. Where the agent's socket is there it returns nil only once the agent has the
// policy realised for all pods of this node, and then also while the API server does not
// answer.
func (l *Layer) Fence(ctx context.Context, order layers.Order) error {
	l.owed.Store(false)
	spec := fenceSpec(l.selector, l.config.Namespaces, l.clusterName(ctx))

	half, cancel := untilHalf(ctx)
	defer cancel()
	var static, policy, steer error
	var running sync.WaitGroup
	running.Go(func() { static = l.static.fence(half, l.config.Group, spec, order) })
	running.Go(func() { policy = l.policy.fence(half, l.config.Group, spec, order) })
	running.Go(func() { steer = l.steer(half, layers.Fence, order) })
	running.Wait()

	placed := policy == nil || l.static != nil && static == nil
	realised, err := l.awaitRealised(ctx, placed)
	switch {
	case errors.Is(err, errNoSocket):
		return errors.Join(static, policy, steer)
	case err == nil && unanswered(policy) && (placed || realised > 0):
		l.owed.Store(true)
		return static
	}
	return errors.Join(static, policy, steer, err)
}

// Activate takes the policy away, and shares Services again. Where the agent's socket is
// there it returns nil only once no pod of this node is under the policy.
func (l *Layer) Activate(ctx context.Context, order layers.Order) error {
	l.owed.Store(false)
	if err := l.static.check(ctx, order); err != nil {
		return err
	}
	if err := l.policy.activate(ctx, order); err != nil {
		return err
	}
	var static, steer error
	var running sync.WaitGroup
	running.Go(func() { static = l.static.activate(ctx, l.config.Group, order) })
	running.Go(func() { steer = l.steer(ctx, layers.Activate, order) })
	running.Wait()
	errs := []error{static, steer}
	if err := l.awaitLifted(ctx); !errors.Is(err, errNoSocket) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// steer makes Services and ServiceExports what they are to be.
func (l *Layer) steer(ctx context.Context, action layers.Action, order layers.Order) error {
	edit := activate(order)
	if action == layers.Fence {
		edit = fence(order)
	}
	var errs [2]error
	var running sync.WaitGroup
	running.Go(func() { errs[0] = apply(ctx, l.services, action, order, edit) })
	running.Go(func() {
		exports, err := l.exports.Find(ctx)
		if err == nil {
			err = apply(ctx, exports, action, order, preferOwn)
		}
		if !kube.IsMissing(err) {
			errs[1] = err
		}
	})
	running.Wait()
	return errors.Join(errs[:]...)
}

func apply(ctx context.Context, set *kube.Set, action layers.Action, order layers.Order, edit kube.Edit) error {
	pass, err := set.Begin(ctx, action, order, edit)
	if err != nil {
		return err
	}
	return pass.Finish(ctx)
}

// noDeadline is how long the API server has where ctx has no deadline.
const noDeadline = 10 * time.Second

// untilHalf is for the API server and the disk: if one has not answered in half of the time,
// there must be time left to look at what the agent says.
func untilHalf(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return context.WithTimeout(ctx, noDeadline)
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}
