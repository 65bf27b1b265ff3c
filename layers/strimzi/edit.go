package strimzi

import (
	"encoding/json"
	"fmt"
	"reflect"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// An original is what the annotation of a resource keeps of which connectors are stopped.
type original struct {
	From   string             `json:"from,omitempty"` // alias whose data is let in; empty for none
	States map[string]*string `json:"states"`         // that connectors had, by their keys; nil where they had none
}

// readOriginal reads the annotation. What can't be read is not known: then connectors
// come back without a state, which is running.
func readOriginal(o *unstructured.Unstructured) original {
	var known original
	if json.Unmarshal([]byte(o.GetAnnotations()[kube.OriginalAnnotation]), &known) != nil {
		return original{}
	}
	return known
}

// hold lets data of one region in, or of none if from is empty: it stops all other
// connectors of a resource, and gives those that it had stopped their states back. The
// resource then bears an epoch, as kube spells it.
func hold(o *unstructured.Unstructured, bears, from string) error {
	wasHeld, known, kept := held(o), readOriginal(o), original{from, map[string]*string{}}
	alone := len(sourcesOf(o)) == 1
	for _, c := range connectorsOf(o) {
		before, isKnown := known.States[c.key]
		state, has := c.state()
		switch {
		case from == "" || !alone && c.alias != from:
			if !isKnown || state != stateStopped { // else somebody has given it another state since
				before = nil
				if has {
					before = &state
				}
			}
			kept.States[c.key] = before
			c.spec["state"] = stateStopped
		case wasHeld && state == stateStopped && isKnown && before != nil:
			c.spec["state"] = *before
		case wasHeld && state == stateStopped && (isKnown || len(known.States) == 0):
			delete(c.spec, "state")
		}
	}
	annotations := map[string]string{kube.EpochAnnotation: bears, kube.OriginalAnnotation: ""}
	if from == "" || len(kept.States) > 0 { // also where there is nothing to stop: that is known then
		text, err := json.Marshal(kept)
		if err != nil {
			return fmt.Errorf("write down the states of its connectors: %w", err)
		}
		annotations[kube.OriginalAnnotation] = string(text)
	}
	kube.SetAnnotations(o, annotations)
	return nil
}

// activate is the edit that stops all connectors.
func activate(order layers.Order) kube.Edit {
	return func(o *unstructured.Unstructured) (bool, error) {
		if err := kube.CheckEpoch(o, order); err != nil {
			return false, err
		}
		before := o.DeepCopy()
		if err := hold(o, kube.ActiveEpoch(order), ""); err != nil {
			return false, err
		}
		return !reflect.DeepEqual(before.Object, o.Object), nil
	}
}

// fence is the edit that has data of the leader mirrored into this region, once there is
// one. The resource bears the epoch of whoever's data is let in, and so not the order's, but
// the order's term: an older instance of this region is to stop nothing any more.
func fence(order layers.Order, leader func(*unstructured.Unstructured) (said, bool)) kube.Edit {
	return func(o *unstructured.Unstructured) (bool, error) {
		before := o.DeepCopy()
		epoch, from := kube.Epoch(o), readOriginal(o).From
		if l, ok := leader(o); ok && l.Epoch >= epoch && l.Target != "" {
			epoch, from = l.Epoch, l.Target
		} else if !held(o) {
			return false, nil
		}
		if err := hold(o, kube.FencedEpoch(o, layers.Order{Epoch: epoch, Term: order.Term}), from); err != nil {
			return false, err
		}
		return !reflect.DeepEqual(before.Object, o.Object), nil
	}
}
