package kube

import (
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
)

// The annotations that the daemon leaves on an object that is fenced.
const (
	EpochAnnotation    = "failover.openova.io/epoch"    // of the newest order that the object bears
	OriginalAnnotation = "failover.openova.io/original" // what activation puts back, as the layer spells it
)

// A StaleError says that an object bears a newer epoch than the order: another
// instance of this region acts, under authority that this one does not have any more.
type StaleError struct{ Bears, Order uint64 }

func (e *StaleError) Error() string {
	return fmt.Sprintf("it bears epoch %d, and the order is for epoch %d: another instance of this region acts by now", e.Bears, e.Order)
}

// Epoch is the epoch that an object bears; 0 for none, or one that can't be read.
func Epoch(o *unstructured.Unstructured) uint64 {
	epoch, err := strconv.ParseUint(o.GetAnnotations()[EpochAnnotation], 10, 64)
	if err != nil {
		return 0
	}
	return epoch
}

// CheckEpoch refuses to activate an object that bears a newer epoch than the order.
// A fence is never refused, whatever the object bears: an agent that has lost its
// memory knows no epoch, and must fence all the same.
func CheckEpoch(o *unstructured.Unstructured, order layers.Order) error {
	if bears := Epoch(o); bears > order.Epoch {
		return &StaleError{bears, order.Epoch}
	}
	return nil
}

// FencedEpoch is the epoch that an object bears once it is fenced by an order: never a
// lower one than before.
func FencedEpoch(o *unstructured.Unstructured, order layers.Order) string {
	return strconv.FormatUint(max(Epoch(o), order.Epoch), 10)
}

// SetAnnotations sets annotations of an object; an empty value removes one.
func SetAnnotations(o *unstructured.Unstructured, values map[string]string) {
	all := o.GetAnnotations()
	if all == nil {
		all = map[string]string{}
	}
	for key, value := range values {
		if value == "" {
			delete(all, key)
		} else {
			all[key] = value
		}
	}
	if len(all) == 0 {
		all = nil
	}
	o.SetAnnotations(all)
}
