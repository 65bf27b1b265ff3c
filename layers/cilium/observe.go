package cilium

import (
	"context"
	"errors"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// Check asks whether the cluster has Cilium's policies, whether the agent can be asked and
// reaches the other clusters, and for the cluster's name.
func (l *Layer) Check(ctx context.Context) error {
	if err := kube.NewSet(l.client, policies, "", nil).Served(ctx); err != nil {
		return err
	}
	_, err := l.exports.Find(ctx)
	if kube.IsMissing(err) {
		err = nil
	}
	_, name := l.findCluster(ctx)
	errs := []error{err, name}
	if l.agent != nil {
		err := l.agent.check(ctx)
		if errors.Is(err, errNoSocket) {
			err = fmt.Errorf("%w; the layer goes by the API server alone, and does not know what is realised", err)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// Observe looks at the policy, the Services and, where there is a socket, at what is
// realised for the pods of this node. While the API server does not answer it goes by the
// last alone.
func (l *Layer) Observe(ctx context.Context) (layers.State, error) {
	api, cancel := untilHalf(ctx)
	defer cancel()
	fenced, active, err := l.observeObjects(api)
	v, lookErr := l.look(ctx)
	switch {
	case errors.Is(lookErr, errNoSocket):
	case lookErr != nil:
		return layers.Unknown, errors.Join(err, lookErr)
	case err != nil && !unanswered(err):
		return layers.Unknown, err
	case v.realised+len(v.open) > 0:
		err = nil
		fenced = fenced || v.realised > 0
		active = active || len(v.open) > 0
	}
	switch {
	case err != nil:
		return layers.Unknown, err
	case fenced && !active:
		return layers.Inactive, nil
	case active && !fenced:
		return layers.Active, nil
	}
	return layers.Unknown, nil
}

// observeObjects reports whether any object on the API server is as fence makes it, and
// whether any is not.
func (l *Layer) observeObjects(ctx context.Context) (fenced, active bool, err error) {
	policy, err := l.client.Resource(policies).Get(ctx, l.policy.name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		active = true
	case err != nil:
		return false, false, l.policy.error("read", err)
	case l.isFence(ctx, policy):
		fenced = true
	default: // somebody has changed it: it is neither
		fenced, active = true, true
	}
	all, err := l.services.List(ctx)
	if err != nil {
		return false, false, err
	}
	for _, s := range all {
		if is, counts := isFenced(s); counts {
			fenced = fenced || is
			active = active || !is
		}
	}
	return fenced, active, nil
}

// isFence reports whether a policy is the fence, as it is with the cluster's name or as it
// was before that was known.
func (l *Layer) isFence(ctx context.Context, policy *unstructured.Unstructured) bool {
	for _, name := range []string{l.clusterName(ctx), ""} {
		if isFence(policy, fenceSpec(l.selector, l.config.Namespaces, name)) {
			return true
		}
	}
	return false
}
