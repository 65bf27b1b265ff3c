package term

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// A Register is the shared record of the instances of one region (§5), in one Lease. Its
// methods may be used concurrently. A read is sent again where the API server asks for that, as
// long as its context has time; a write never is.
type Register struct {
	in    dynamic.ResourceInterface
	name  string // of the Lease
	group string

	mu   sync.Mutex
	seen *unstructured.Unstructured // as it was read or written last; nil: not known
	is   lease.TermRecord           // that seen bears
}

// New returns the register of a group's region, which has asked nobody yet.
func New(client *kube.Client, namespace, group string, region lease.Region) *Register {
	return &Register{in: client.Resource(leases).Namespace(namespace), name: LeaseName(group, region), group: group}
}

// Read returns the record; found is false if the API server says that there is none. It returns
// a *ForeignError for a Lease that bears none.
func (r *Register) Read(ctx context.Context) (record lease.TermRecord, found bool, err error) {
	_, record, found, err = r.read(ctx)
	return record, found, err
}

func (r *Register) read(ctx context.Context) (o *unstructured.Unstructured, record lease.TermRecord, found bool, err error) {
	// With a resourceVersion, 0 too, the answer could be of the past.
	o, err = r.in.Get(ctx, r.name, metav1.GetOptions{})
	switch {
	case says(err, apierrors.IsNotFound):
		return nil, lease.TermRecord{}, false, nil
	case err != nil:
		return nil, lease.TermRecord{}, false, fmt.Errorf("read the record of the instances: %w", err)
	}
	if record, err = decode(o, r.group); err != nil {
		return nil, lease.TermRecord{}, false, err
	}
	r.remember(o, record)
	return o, record, true, nil
}

// Write replaces the record after, the zero value if there is none, by another. It is refused,
// without an error, if another one is there, or somebody else has touched the Lease.
func (r *Register) Write(ctx context.Context, after, record lease.TermRecord) (lease.TermOutcome, error) {
	if err := valid(record); err != nil {
		return lease.TermUnknown, fmt.Errorf("write the record of the instances: %w", err)
	}
	o, err := r.object(ctx, after)
	switch {
	case err != nil:
		return lease.TermUnknown, err
	case o == nil:
		return lease.TermRefused, nil
	}
	encode(o, r.group, after, record, time.Now())
	ctx = kube.Once(ctx)
	if after.Beat == 0 {
		o, err = r.in.Create(ctx, o, metav1.CreateOptions{FieldManager: kube.FieldManager})
		if says(err, apierrors.IsAlreadyExists) {
			return lease.TermRefused, nil
		}
	} else {
		// The uid goes with it: a Lease that is gone would be created again by an update
		// that only bears a resourceVersion.
		o, err = r.in.Update(ctx, o, metav1.UpdateOptions{FieldManager: kube.FieldManager})
		if says(err, apierrors.IsConflict) || says(err, apierrors.IsNotFound) {
			return lease.TermRefused, nil
		}
	}
	if err != nil {
		return lease.TermUnknown, fmt.Errorf("write the record of the instances: %w", err)
	}
	stored, err := decode(o, r.group)
	if err == nil && !stored.Same(record) {
		err = &ForeignError{o.GetNamespace(), o.GetName(), "the API server has stored another record than it was sent"}
	}
	if err != nil {
		return lease.TermUnknown, err
	}
	r.remember(o, record)
	return lease.TermAcked, nil
}

// object is the Lease that bears a record, to be changed; nil if another one is there.
func (r *Register) object(ctx context.Context, bears lease.TermRecord) (*unstructured.Unstructured, error) {
	if bears.Beat == 0 {
		o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": leases.GroupVersion().String(), "kind": "Lease"}}
		o.SetName(r.name)
		return o, nil
	}
	r.mu.Lock()
	o, is := r.seen, r.is
	r.mu.Unlock()
	if o == nil || !is.Same(bears) {
		var err error
		if o, is, _, err = r.read(ctx); err != nil {
			return nil, err
		}
		if o == nil || !is.Same(bears) {
			return nil, nil
		}
	}
	return o.DeepCopy(), nil
}

func (r *Register) remember(o *unstructured.Unstructured, record lease.TermRecord) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen, r.is = o, record
}

// says reports whether the API server has answered with an error of a kind: an answer without a
// Status, such as a 404 of a proxy before it, says nothing about the Lease.
func says(err error, kind func(error) bool) bool {
	return kind(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeUnexpectedServerResponse)
}
