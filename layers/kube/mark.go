package kube

import (
	"fmt"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
)

// The annotations that the daemon leaves on an object that is fenced.
const (
	EpochAnnotation    = "failover.openova.io/epoch"    // of the newest order that the object bears, with /TERM behind it where regions have several instances
	OriginalAnnotation = "failover.openova.io/original" // what activation puts back, as the layer spells it
)

// A StaleError says that an object bears a newer order: another instance of this region
// acts, under authority or in a term that this one does not have any more.
type StaleError struct {
	Bears, Order string
	Term         bool // the order's term alone is too old
}

func (e *StaleError) Error() string {
	remedy := fmt.Sprintf("and failoverd was installed anew, remove the annotation %s in every region", EpochAnnotation)
	if e.Term { // layers compare the epoch with that of other regions
		epoch, _, _ := strings.Cut(e.Bears, "/")
		remedy = fmt.Sprintf("and the Lease of the instances was removed, cut the annotation %s down to %s", EpochAnnotation, epoch)
	}
	return fmt.Sprintf("it bears epoch %s, and the order is for epoch %s: another instance of this region acts by now; if none does, %s", e.Bears, e.Order, remedy)
}

// Epoch is the epoch that an object bears; 0 for none, or one that can't be read.
func Epoch(o *unstructured.Unstructured) uint64 {
	epoch, _ := borne(o)
	return epoch
}

// borne is the order that an object bears.
func borne(o *unstructured.Unstructured) (epoch, term uint64) {
	first, second, several := strings.Cut(o.GetAnnotations()[EpochAnnotation], "/")
	epoch, err := strconv.ParseUint(first, 10, 64)
	if several && err == nil {
		term, err = strconv.ParseUint(second, 10, 64)
	}
	if err != nil {
		return 0, 0
	}
	return epoch, term
}

// spell is an order as an object bears it.
func spell(epoch, term uint64) string {
	text := strconv.FormatUint(epoch, 10)
	if term > 0 {
		text += "/" + strconv.FormatUint(term, 10)
	}
	return text
}

// CheckEpoch refuses to activate an object that bears a newer epoch than the order, or
// a later term.
//
// Between instances it takes both: one that is frozen may have an epoch that the next one
// has not seen, and that begins by fencing for none. Terms go on with the Lease of the
// instances; if that was removed, only a person can tell the new ones from older ones.
// An order without a term is from the only agent of a region, which looks at no term: it
// has no other instance beside it, since those before it were uninstalled, and an epoch
// above theirs. Nor does it take a term away by a fence: until it has acted, an older
// instance that was frozen meanwhile is refused as before.
//
// A fence is never refused, whatever the object bears: an agent that has lost its
// memory knows no epoch, and must fence all the same.
func CheckEpoch(o *unstructured.Unstructured, order layers.Order) error {
	epoch, term := borne(o)
	switch bears, of := spell(epoch, term), spell(order.Epoch, order.Term); {
	case epoch > order.Epoch:
		return &StaleError{Bears: bears, Order: of}
	case order.Term > 0 && term > order.Term:
		return &StaleError{Bears: bears, Order: of, Term: true}
	}
	return nil
}

// FencedEpoch is what an object bears once it is fenced by an order: never a lower epoch
// or term than before.
func FencedEpoch(o *unstructured.Unstructured, order layers.Order) string {
	epoch, term := borne(o)
	return spell(max(epoch, order.Epoch), max(term, order.Term))
}

// ActiveEpoch is what an object bears once it is active by an order, if it bears anything.
func ActiveEpoch(order layers.Order) string { return spell(order.Epoch, order.Term) }

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
