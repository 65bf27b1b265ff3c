package mirror

import (
	"math"
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// A view is what the Lease shows.
type view struct {
	state  lease.StateName // of this region
	holder lease.Region    // the last known one; empty if that has given the lease up, or none is known
	epoch  uint64          // of the holder; 0 if it is not known

	renewed time.Time // when the holder renewed last, as far as this region knows; zero if not at all

	requested lease.RequestKind // that this region asks an operator for; empty for nothing
}

// look makes a view of what stands in an agent at a time of the wall clock.
func look(self lease.Region, ttl time.Duration, d lease.Decision, peers []lease.PeerView, now time.Time) view {
	v := view{state: d.State, requested: d.Request.Kind}
	since := func(t lease.Instant) time.Time { return now.Add(-d.Now.Sub(t)) }
	switch {
	case d.Authority:
		// The deadline is the TTL after the sending of what was acknowledged last (§2).
		v.holder, v.epoch, v.renewed = self, d.Epoch, since(d.Deadline.Add(-ttl))
	case d.Holder != self:
		for _, p := range peers {
			if p.Region == d.Holder {
				v.holder, v.epoch, v.renewed = p.Region, p.Epoch, since(p.Evidence)
			}
		}
	}
	return v
}

// news reports whether a view differs from one that was shown in more than the time of the
// last renewal.
func (v view) news(shown view) bool {
	return v.state != shown.state || v.holder != shown.holder || v.epoch != shown.epoch || v.requested != shown.requested
}

// What the Lease bears beside its spec.
const (
	managedBy        = "app.kubernetes.io/managed-by"
	groupAnnotation  = "failover.openova.io/group"
	regionAnnotation = "failover.openova.io/region" // of the agent that writes the Lease
	stateAnnotation  = "failover.openova.io/state"  // of that region
	asksAnnotation   = "failover.openova.io/asks"   // what it asks an operator for; empty for nothing
	noteAnnotation   = "failover.openova.io/note"

	note = "a copy for people: whoever changes it changes nothing; with kubernetes.commands the annotation failover.openova.io/command is obeyed; see failoverd status"
)

// put makes a Lease show a view. An epoch that is not known leaves the one that is there.
func (v view) put(o *unstructured.Unstructured, group string, self lease.Region, ttl time.Duration) {
	labels := o.GetLabels()
	if labels == nil {
		labels = map[string]string{}
	}
	labels[managedBy] = kube.FieldManager
	o.SetLabels(labels)
	annotations := map[string]string{
		groupAnnotation: group, regionAnnotation: string(self), stateAnnotation: string(v.state), asksAnnotation: string(v.requested), noteAnnotation: note,
	}
	spec, _ := o.Object["spec"].(map[string]any) // what is no object is replaced
	if spec == nil {
		spec = map[string]any{}
	}
	spec["leaseDurationSeconds"] = max(1, int64(ttl/time.Second))
	if v.epoch > 0 {
		spec["leaseTransitions"] = int64(min(v.epoch, math.MaxInt32))
		annotations[kube.EpochAnnotation] = strconv.FormatUint(v.epoch, 10)
	}
	if delete(spec, "holderIdentity"); v.holder != "" {
		spec["holderIdentity"] = string(v.holder)
	}
	if delete(spec, "renewTime"); !v.renewed.IsZero() {
		spec["renewTime"] = v.renewed.UTC().Format(metav1.RFC3339Micro)
	}
	o.Object["spec"] = spec
	kube.SetAnnotations(o, annotations)
}
