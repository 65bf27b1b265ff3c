package mirror

import (
	"context"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

var leases = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

// LeaseName is the name of the Lease of a group.
func LeaseName(group string) string { return "failoverd-" + group }

// A ForeignError says that an object of the Lease's name is someone else's, and is left
// alone.
type ForeignError struct{ Namespace, Name, Why string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("the Lease %s/%s is not this agent's: %s; remove it, or set another kubernetes.namespace", e.Namespace, e.Name, e.Why)
}

// owned returns a *ForeignError if a Lease is not this agent's.
func owned(o *unstructured.Unstructured, group string, self lease.Region) error {
	bears := o.GetAnnotations()
	why := ""
	switch {
	case o.GetLabels()[managedBy] != kube.FieldManager || bears[regionAnnotation] == "":
		why = "failoverd has not made it"
	case bears[groupAnnotation] != group:
		why = "it is of the group " + bears[groupAnnotation]
	case bears[regionAnnotation] != string(self):
		why = "it is of the region " + bears[regionAnnotation]
	default:
		return nil
	}
	return &ForeignError{o.GetNamespace(), o.GetName(), why}
}

// A writer writes the Lease. It remembers the object, so that a write at rest is one
// request.
type writer struct {
	mirror *Mirror
	object *unstructured.Unstructured // as it was written last; nil: not known
	shown  view
	answer string // to the last command
	unsure *asked // it may have been taken off the Lease by a write that failed; nil: none
}

// write makes the Lease show a view. It returns a *ForeignError if that would be someone
// else's object.
func (w *writer) write(ctx context.Context, v view) error {
	m := w.mirror
	in := m.cfg.Client.Resource(leases).Namespace(m.cfg.Namespace)
	name := LeaseName(m.cfg.Params.Group)
	for {
		var err error
		if w.object == nil {
			w.object, err = in.Get(ctx, name, metav1.GetOptions{})
			if apierrors.IsNotFound(err) {
				return w.create(ctx, v)
			}
			if err == nil {
				err = owned(w.object, m.cfg.Params.Group, m.cfg.Params.Region)
			}
			if err != nil {
				w.object = nil
				return err
			}
		}
		o := w.object.DeepCopy()
		v.put(o, m.cfg.Params.Group, m.cfg.Params.Region, m.cfg.Params.TTL)
		command := m.takeCommand(o)
		if w.unsure != nil && !w.unsure.is(command) {
			w.answer, w.unsure = m.lost(w.unsure, time.Now()), nil
		}
		putAnswer(o, w.answer)
		w.object, err = in.Update(ctx, o, metav1.UpdateOptions{FieldManager: kube.FieldManager})
		switch {
		case err == nil:
			if w.wrote(v); command == nil {
				return nil
			}
			w.answer, w.unsure = m.obey(ctx, command, v.requested, time.Now()), nil
			continue
		case !apierrors.IsConflict(err) && !apierrors.IsNotFound(err):
			if w.object = nil; command != nil && !command.is(w.unsure) {
				w.unsure = command
				m.cfg.Log.Warn("whether a command has been taken off the Lease is not known: it is obeyed only if it is found again", "command", command.text, "by", command.by, "operator_says", command.reason, "error", err)
			}
			return err
		}
		w.object = nil // somebody has changed it, or it is gone
	}
}

func (w *writer) create(ctx context.Context, v view) (err error) {
	m := w.mirror
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": leases.GroupVersion().String(), "kind": "Lease"}}
	o.SetNamespace(m.cfg.Namespace)
	o.SetName(LeaseName(m.cfg.Params.Group))
	v.put(o, m.cfg.Params.Group, m.cfg.Params.Region, m.cfg.Params.TTL)
	w.object, err = m.cfg.Client.Resource(leases).Namespace(m.cfg.Namespace).Create(ctx, o, metav1.CreateOptions{FieldManager: kube.FieldManager})
	if err != nil {
		w.object = nil
		return err
	}
	w.wrote(v)
	return nil
}

func (w *writer) wrote(v view) {
	w.shown = v
	w.mirror.mu.Lock()
	defer w.mirror.mu.Unlock()
	w.mirror.uid = w.object.GetUID()
}

// Check reads the Lease, if it is there, and returns a *ForeignError if it is someone
// else's.
func (m *Mirror) Check(ctx context.Context) error {
	o, err := m.cfg.Client.Resource(leases).Namespace(m.cfg.Namespace).Get(ctx, LeaseName(m.cfg.Params.Group), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the Lease that shows the state: %w", err)
	}
	return owned(o, m.cfg.Params.Group, m.cfg.Params.Region)
}

// reference is how an Event names the Lease.
func (m *Mirror) reference() kube.Reference {
	m.mu.Lock()
	defer m.mu.Unlock()
	return kube.Reference{
		APIVersion: leases.GroupVersion().String(), Kind: "Lease",
		Namespace: m.cfg.Namespace, Name: LeaseName(m.cfg.Params.Group), UID: m.uid,
	}
}
