package term

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

var leases = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}

// LeaseName is the name of the Lease that bears the record of a group's region. Two regions may
// be in one cluster. Both names are labels, without a dot, so no Lease that shows a group to
// people is called like it.
func LeaseName(group string, region lease.Region) string {
	return "failoverd-" + group + "." + string(region)
}

// What the Lease bears beside its spec. The holder and the term are in the spec; the rest of
// that is for people.
const (
	managedBy            = "app.kubernetes.io/managed-by"
	groupAnnotation      = "failover.openova.io/group"
	beatAnnotation       = "failover.openova.io/beat"
	durationAnnotation   = "failover.openova.io/term-duration" // exact, as Go spells it
	epochAnnotation      = "failover.openova.io/epoch"
	pauseAnnotation      = "failover.openova.io/pause" // as Go spells a duration
	baseEpochAnnotation  = "failover.openova.io/base-epoch"
	baseAfterAnnotation  = "failover.openova.io/base-after"
	baseSafetyAnnotation = "failover.openova.io/base-safety"
	mayHoldAnnotation    = "failover.openova.io/may-hold" // a JSON array of strings
	noteAnnotation       = "failover.openova.io/note"

	note = "the instances of this region agree by it on which of them acts: do not edit it, and do not remove it while more than one runs"
)

// A ForeignError says that the Lease bears no record that can be understood, and is left alone.
type ForeignError struct{ Namespace, Name, Why string }

func (e *ForeignError) Error() string {
	return fmt.Sprintf("the Lease %s/%s is no record of this group's instances: %s; if it is someone else's, set another kubernetes.namespace; if it was edited, delete it while at most one instance of the region runs, and that is safe", e.Namespace, e.Name, e.Why)
}

// valid refuses what a Lease can't bear, or would not be understood.
func valid(r lease.TermRecord) error {
	switch {
	case r.Term == 0 || r.Term > math.MaxInt32:
		return fmt.Errorf("term %d: want 1 to %d, what leaseTransitions takes", r.Term, math.MaxInt32)
	case r.Beat == 0:
		return fmt.Errorf("beat 0: want 1 or more")
	case r.Duration <= 0 || seconds(r.Duration) > math.MaxInt32:
		return fmt.Errorf("term duration %v: want more than 0, and what leaseDurationSeconds takes", r.Duration)
	case r.Pause < 0:
		return fmt.Errorf("pause %v: want 0s or more", r.Pause)
	case slices.Contains(r.MayHold, ""):
		return fmt.Errorf("an instance without a name may hold authority")
	}
	return nil
}

// seconds is a duration, rounded up.
func seconds(d time.Duration) int64 { return int64((d-1)/time.Second) + 1 }

// encode makes a Lease bear a record, and leaves what else it bears.
func encode(o *unstructured.Unstructured, group string, after, r lease.TermRecord, now time.Time) {
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[managedBy] = kube.FieldManager
	o.SetLabels(labels)
	mayHold, _ := json.Marshal(append([]string{}, r.MayHold...)) // strings always can be
	kube.SetAnnotations(o, map[string]string{
		groupAnnotation:      group,
		beatAnnotation:       strconv.FormatUint(r.Beat, 10),
		durationAnnotation:   r.Duration.String(),
		epochAnnotation:      strconv.FormatUint(r.Epoch, 10),
		pauseAnnotation:      r.Pause.String(),
		baseEpochAnnotation:  strconv.FormatUint(r.Base.Epoch, 10),
		baseAfterAnnotation:  strconv.FormatUint(r.Base.After, 10),
		baseSafetyAnnotation: r.Base.Safety,
		mayHoldAnnotation:    string(mayHold),
		noteAnnotation:       note,
	})
	spec, _ := o.Object["spec"].(map[string]any) // one that was read is an object
	if spec == nil {
		spec = map[string]any{}
	}
	at := now.UTC().Format(metav1.RFC3339Micro)
	if delete(spec, "holderIdentity"); r.Holder != "" {
		spec["holderIdentity"] = r.Holder
	}
	if after.Beat == 0 || after.Holder != r.Holder || after.Term != r.Term {
		spec["acquireTime"] = at
	}
	spec["renewTime"] = at
	spec["leaseTransitions"] = int64(r.Term)
	spec["leaseDurationSeconds"] = seconds(r.Duration)
	o.Object["spec"] = spec
}

// decode is the record that a Lease bears. It returns a *ForeignError if it bears none.
func decode(o *unstructured.Unstructured, group string) (lease.TermRecord, error) {
	d := decoder{bears: o.GetAnnotations()}
	if got := o.GetLabels()[managedBy]; got != kube.FieldManager {
		d.fail("label "+managedBy, got, kube.FieldManager)
	}
	if got := d.bears[groupAnnotation]; got != group {
		d.fail("annotation "+groupAnnotation, got, group)
	}
	r := lease.TermRecord{Beat: d.number(beatAnnotation), Epoch: d.number(epochAnnotation), Base: lease.TermBase{Epoch: d.number(baseEpochAnnotation), After: d.number(baseAfterAnnotation), Safety: d.bears[baseSafetyAnnotation]}}
	var err error
	if r.Duration, err = time.ParseDuration(d.bears[durationAnnotation]); err != nil {
		d.fail("annotation "+durationAnnotation, d.bears[durationAnnotation], "a duration")
	}
	if r.Pause, err = time.ParseDuration(d.bears[pauseAnnotation]); err != nil {
		d.fail("annotation "+pauseAnnotation, d.bears[pauseAnnotation], "a duration")
	}
	if err := json.Unmarshal([]byte(d.bears[mayHoldAnnotation]), &r.MayHold); err != nil || r.MayHold == nil {
		d.fail("annotation "+mayHoldAnnotation, d.bears[mayHoldAnnotation], "a JSON array of names")
	}
	if len(r.MayHold) == 0 {
		r.MayHold = nil
	}
	spec, _ := o.Object["spec"].(map[string]any)
	if holder, is := spec["holderIdentity"]; is {
		if r.Holder, is = holder.(string); !is {
			d.fail("spec.holderIdentity", fmt.Sprint(holder), "a string")
		}
	}
	term, is := spec["leaseTransitions"].(int64)
	if !is || term < 0 {
		d.fail("spec.leaseTransitions", fmt.Sprint(spec["leaseTransitions"]), "a term")
	} else {
		r.Term = uint64(term)
	}
	if err := valid(r); d.why == "" && err != nil {
		d.why = err.Error()
	}
	if d.why != "" {
		return lease.TermRecord{}, &ForeignError{o.GetNamespace(), o.GetName(), d.why}
	}
	return r, nil
}

// A decoder remembers the first thing that is not as expected.
type decoder struct {
	bears map[string]string
	why   string
}

func (d *decoder) fail(what, got, want string) {
	if d.why == "" {
		d.why = fmt.Sprintf("its %s is %.100q, want %s", what, got, want)
	}
}

func (d *decoder) number(annotation string) uint64 {
	n, err := strconv.ParseUint(d.bears[annotation], 10, 64)
	if err != nil {
		d.fail("annotation "+annotation, d.bears[annotation], "a number")
	}
	return n
}
