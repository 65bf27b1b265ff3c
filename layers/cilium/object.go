package cilium

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// A policyObject is the group's policy on the API server. Its name is failoverd's: whatever
// bears it is made the fence, and deleted.
type policyObject struct {
	client *kube.Client
	name   string

	mu      sync.Mutex
	ordered bool           // whether there was an order
	spec    map[string]any // what the newest order wants; nil for no policy
}

// want notes what the newest order wants, for a watch.
func (p *policyObject) want(spec map[string]any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ordered, p.spec = true, spec
}

// drifted reports whether the policy, nil if there is none, is not what the newest order
// wants.
func (p *policyObject) drifted(has *unstructured.Unstructured) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.ordered {
		return false
	}
	if has == nil || p.spec == nil {
		return (has == nil) != (p.spec == nil)
	}
	return !isFence(has, p.spec)
}

// fence sees to it that the policy is there, with a spec.
func (p *policyObject) fence(ctx context.Context, group string, spec map[string]any, order layers.Order) error {
	p.want(spec)
	in := p.client.Resource(policies)
	for {
		has, err := in.Get(ctx, p.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			want := newPolicy(group, kube.FencedEpoch(&unstructured.Unstructured{}, order), spec)
			made, err := in.Create(ctx, want, metav1.CreateOptions{FieldManager: kube.FieldManager})
			if apierrors.IsAlreadyExists(err) {
				continue
			}
			if err == nil {
				p.client.Record(kube.Event{Object: kube.ReferenceTo(made), Action: layers.Fence, Order: order})
			}
			return p.error("create", err)
		}
		if err != nil {
			return p.error("read", err)
		}
		epoch := kube.FencedEpoch(has, order)
		if isFence(has, spec) && has.GetAnnotations()[kube.EpochAnnotation] == epoch {
			return nil
		}
		has.Object["spec"] = spec
		kube.SetAnnotations(has, map[string]string{kube.EpochAnnotation: epoch})
		_, err = in.Update(ctx, has, metav1.UpdateOptions{FieldManager: kube.FieldManager})
		if apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
			continue
		}
		if err == nil {
			p.client.Record(kube.Event{Object: kube.ReferenceTo(has), Action: layers.Fence, Order: order})
		}
		return p.error("update", err)
	}
}

// activate deletes the policy.
func (p *policyObject) activate(ctx context.Context, order layers.Order) error {
	in := p.client.Resource(policies)
	for {
		has, err := in.Get(ctx, p.name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			p.want(nil)
			return nil
		}
		if err != nil {
			return p.error("read", err)
		}
		if err := kube.CheckEpoch(has, order); err != nil {
			return p.error("delete", err)
		}
		p.want(nil)
		if has.GetDeletionTimestamp() != nil {
			// Cilium goes by it until it is gone.
			return p.error("delete", fmt.Errorf("finalizers keep it: %s; remove them", strings.Join(has.GetFinalizers(), ", ")))
		}
		uid, version := has.GetUID(), has.GetResourceVersion()
		err = in.Delete(ctx, p.name, metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}})
		if err != nil && !apierrors.IsConflict(err) && !apierrors.IsNotFound(err) {
			return p.error("delete", err)
		}
		if err == nil {
			p.client.Record(kube.Event{Object: kube.ReferenceTo(has), Action: layers.Activate, Order: order})
		}
	}
}

func (p *policyObject) error(verb string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s the CiliumClusterwideNetworkPolicy %s: %w", verb, p.name, err)
}

// isFence reports whether a policy is what fence makes of it. What others have added beside
// its spec can't weaken it: nothing undoes a deny.
func isFence(p *unstructured.Unstructured, spec map[string]any) bool {
	return reflect.DeepEqual(p.Object["spec"], any(spec))
}

// unanswered reports whether an error is that the API server did not say whether it does
// what it was asked: it is down, or what it keeps its objects in is.
func unanswered(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return err != nil
	}
	return status.Status().Code >= 500 || apierrors.IsTooManyRequests(err)
}
