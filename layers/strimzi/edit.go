package strimzi

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"

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
// connectors of a resource, and gives those that it had stopped their states back.
func hold(o *unstructured.Unstructured, epoch uint64, from string) error {
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
	annotations := map[string]string{kube.EpochAnnotation: strconv.FormatUint(epoch, 10), kube.OriginalAnnotation: ""}
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
		if err := hold(o, order.Epoch, ""); err != nil {
			return false, err
		}
		return !reflect.DeepEqual(before.Object, o.Object), nil
	}
}

// fence is the edit that has data of the leader mirrored into this region, once there is
// one.
func fence(leader func(*unstructured.Unstructured) (said, bool)) kube.Edit {
	return func(o *unstructured.Unstructured) (bool, error) {
		before := o.DeepCopy()
		epoch, from := kube.Epoch(o), readOriginal(o).From
		if l, ok := leader(o); ok && l.Epoch >= epoch && l.Target != "" {
			epoch, from = l.Epoch, l.Target
		} else if !held(o) {
			return false, nil
		}
		if err := hold(o, epoch, from); err != nil {
			return false, err
		}
		return !reflect.DeepEqual(before.Object, o.Object), nil
	}
}
