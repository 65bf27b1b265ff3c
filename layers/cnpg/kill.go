package cnpg

import (
	"context"
	"errors"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openova-io/failoverd/layers"
)

// killGrace is how many seconds PostgreSQL has to end when its pod is deleted. It
// recovers from less.
const killGrace = 1

// operatorDown reports whether a write failed because CloudNativePG's webhook does not
// answer. So it is when a whole cluster comes back from a loss of power: the kubelet
// starts the operator and the instances at once, and what was a primary is one again.
func operatorDown(err error) bool {
	return apierrors.IsInternalError(err) && strings.Contains(err.Error(), "failed calling webhook")
}

// patient reports whether a Cluster that can't be written to may wait for the operator:
// rows would be lost for nothing. It may while authority is given up by choice, and the
// layers are not late: authority ends, and another region takes, whatever happens here.
func (l *Layer) patient(order layers.Order) bool {
	return order.Reason.Planned() && l.standing(order) < l.config.FenceTimeout
}

// kill deletes the pods of a Cluster that can't be written to. Their volumes stay, and
// nobody makes new pods before the operator is back. If the Cluster has been demoted by
// then, CloudNativePG starts a new pod as a replica, without a token.
func (i *instances) kill(ctx context.Context, c cluster) error {
	of, err := i.of(ctx, c)
	if err != nil {
		return err
	}
	errs := make([]error, len(of))
	all(len(of), func(n int) {
		if of[n].GetDeletionTimestamp() != nil {
			return
		}
		uid, grace := of[n].GetUID(), int64(killGrace)
		err := i.client.Resource(pods).Namespace(c.GetNamespace()).Delete(ctx, of[n].GetName(),
			metav1.DeleteOptions{GracePeriodSeconds: &grace, Preconditions: &metav1.Preconditions{UID: &uid}})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) {
			errs[n] = fmt.Errorf("delete pod %s, so that it takes no writes: %w", of[n].GetName(), err)
		}
	})
	return errors.Join(errs...)
}
