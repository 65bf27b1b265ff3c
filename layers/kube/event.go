package kube

import (
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/openova-io/failoverd/layers"
)

// A Reference names an object, as an Event of Kubernetes does.
type Reference struct {
	APIVersion, Kind, Namespace, Name string
	UID                               types.UID
}

// ReferenceTo is the reference to an object.
func ReferenceTo(o *unstructured.Unstructured) Reference {
	return Reference{o.GetAPIVersion(), o.GetKind(), o.GetNamespace(), o.GetName(), o.GetUID()}
}

// An Event is what an order has come to for one object.
type Event struct {
	Object Reference
	Action layers.Action
	Order  layers.Order
	Again  bool  // the order had been carried out: the object is new, or others had changed it
	Err    error // the object is not yet what it is to be; nil: it is
}

// A Recorder is told of every Event. It does not block: a fence waits for nobody.
type Recorder interface{ Record(Event) }

// Record tells the recorder, if there is one.
func (c *Client) Record(e Event) {
	if c.Recorder != nil {
		c.Recorder.Record(e)
	}
}
