package cnpg

import (
	"context"
	"errors"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// inactive returns nil if a Cluster accepts no writes, and does not begin to: it is to
// be a replica, or to be stopped, and no instance is a primary that runs.
func (l *Layer) inactive(ctx context.Context, c cluster, of []unstructured.Unstructured) error {
	if !c.isReplica() && !c.stopped() {
		return errors.New("it is to be the primary")
	}
	errs := make([]error, len(of))
	all(len(of), func(i int) {
		if !runs(&of[i]) {
			return
		}
		answer, err := l.instances.ask(ctx, c.GetNamespace(), of[i].GetName())
		errs[i] = instanceInactive(c, of[i].GetName(), answer, err)
	})
	return errors.Join(errs...)
}

// instanceInactive judges what an instance that runs has answered, or that it has not.
func instanceInactive(c cluster, pod string, answer instance, err error) error {
	switch {
	case err != nil && c.isReplica() && !c.stopped() && !c.switching() && c.reportedReplica(pod):
		// The operator has seen it as a replica. It is not taken at its word while it is
		// demoting: it may have died before it looked.
		return nil
	case err != nil:
		return fmt.Errorf("it is not known whether it has stopped: %w", err)
	case answer.down(), !answer.IsPrimary && !c.stopped():
		return nil
	}
	// One that is to stop may be about to become a primary: a promotion was under way.
	return fmt.Errorf("waiting for instance %s to stop; it does so for spec.switchoverDelay (%s) at most", pod, c.switchoverDelay())
}

// active returns nil if a Cluster accepts writes.
func (l *Layer) active(ctx context.Context, c cluster) error {
	switch {
	case c.deleted() || c.hibernated():
		return nil // somebody wants it down, and it has the role that it is to have
	case c.isReplica():
		return errors.New("it is a replica")
	case c.stopped():
		return fmt.Errorf("its annotation %s stops it, which failoverd did not set; remove that", fencedAnnotation)
	case c.text("status", "phase") == "Cluster is unrecoverable and needs manual intervention":
		return fmt.Errorf("CloudNativePG has given it up (%s); see kubectl cnpg status; if it is for the promotion token, removing that from spec.replica promotes it with the data that it has", c.text("status", "phaseReason"))
	}
	pod := c.text("status", "currentPrimary")
	if pod == "" {
		return errors.New("waiting for the operator, which has named no primary instance yet")
	}
	if target := c.text("status", "targetPrimary"); target != "" && target != pod {
		return fmt.Errorf("waiting for instance %s to take over from %s", target, pod)
	}
	answer, err := l.instances.ask(ctx, c.GetNamespace(), pod)
	return instanceActive(c, pod, answer, err)
}

// instanceActive judges what the primary instance has answered, or that it has not.
func instanceActive(c cluster, pod string, answer instance, err error) error {
	switch {
	case err != nil:
		return err
	case !answer.IsPrimary || answer.CurrentLSN == "":
		return fmt.Errorf("waiting for instance %s to be promoted (phase %q)", pod, c.text("status", "phase"))
	}
	if token := c.text("spec", "replica", "promotionToken"); token != "" && token != c.text("status", "lastPromotionToken") {
		return fmt.Errorf("waiting for instance %s to confirm the promotion token", pod)
	}
	return nil
}
