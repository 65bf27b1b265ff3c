package mirror

import (
	"errors"
	"math"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

func TestLook(t *testing.T) {
	const second = lease.Instant(time.Second)
	now := time.Unix(1e9, 0)
	peers := []lease.PeerView{{Region: "nbg", Epoch: 3}, {Region: "hel", Epoch: 7, Evidence: 95 * second}}
	for _, tt := range []struct {
		name string
		d    lease.Decision
		want view
	}{
		{"it holds the lease", lease.Decision{Now: 100 * second, State: lease.Active, Authority: true, Epoch: 8, Deadline: 126 * second, Holder: "fsn"},
			view{lease.Active, "fsn", 8, now.Add(-4 * time.Second), ""}},
		{"it fences, and holds it still", lease.Decision{Now: 100 * second, State: lease.Fencing, Authority: true, Epoch: 8, Deadline: 105 * second, Holder: "fsn"},
			view{lease.Fencing, "fsn", 8, now.Add(-25 * time.Second), ""}},
		{"it has given it up", lease.Decision{Now: 100 * second, State: lease.Standby, Holder: "fsn"}, view{state: lease.Standby}},
		{"another holds it", lease.Decision{Now: 100 * second, State: lease.Standby, Holder: "hel"}, view{lease.Standby, "hel", 7, now.Add(-5 * time.Second), ""}},
		{"nobody is known", lease.Decision{Now: 100 * second, State: lease.Candidate, Epoch: 9}, view{state: lease.Candidate}},
	} {
		if got := look("fsn", 30*time.Second, tt.d, peers, now); got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
	}
}

func TestPut(t *testing.T) {
	// What is there is of no shape at all.
	o := &unstructured.Unstructured{Object: map[string]any{"spec": "nonsense"}}
	view{lease.Active, "fsn", 1 << 40, time.Unix(1e9, 5000), ""}.put(o, "rtz", "fsn", 300*time.Millisecond)
	spec, _ := o.Object["spec"].(map[string]any)
	if spec["holderIdentity"] != "fsn" || spec["leaseTransitions"] != int64(math.MaxInt32) || spec["leaseDurationSeconds"] != int64(1) || spec["renewTime"] != "2001-09-09T01:46:40.000005Z" {
		t.Errorf("got %v", spec)
	}
	if got := o.GetAnnotations()[kube.EpochAnnotation]; got != "1099511627776" {
		t.Errorf("got epoch %s, want it whole", got)
	}
	if err := owned(o, "rtz", "fsn"); err != nil {
		t.Errorf("its own is refused: %v", err)
	}
	// Whoever gave the lease up is no holder; the last epoch stays.
	view{state: lease.Standby}.put(o, "rtz", "fsn", time.Minute)
	spec, _ = o.Object["spec"].(map[string]any)
	if spec["holderIdentity"] != nil || spec["renewTime"] != nil || spec["leaseTransitions"] != int64(math.MaxInt32) {
		t.Errorf("got %v, want no holder, and the epoch as before", spec)
	}
}

func TestOwned(t *testing.T) {
	made := func(change func(*unstructured.Unstructured)) *unstructured.Unstructured {
		o := &unstructured.Unstructured{Object: map[string]any{}}
		view{state: lease.Standby}.put(o, "rtz", "fsn", time.Minute)
		change(o)
		return o
	}
	for _, tt := range []struct {
		o    *unstructured.Unstructured
		want string
	}{
		{&unstructured.Unstructured{Object: map[string]any{}}, "failoverd has not made it"},
		{made(func(o *unstructured.Unstructured) { o.SetLabels(nil) }), "failoverd has not made it"},
		{made(func(o *unstructured.Unstructured) { o.SetAnnotations(nil) }), "failoverd has not made it"},
		{made(func(o *unstructured.Unstructured) {
			kube.SetAnnotations(o, map[string]string{groupAnnotation: "other"})
		}), "it is of the group other"},
		{made(func(o *unstructured.Unstructured) {
			kube.SetAnnotations(o, map[string]string{regionAnnotation: "hel"})
		}), "it is of the region hel"},
	} {
		var foreign *ForeignError
		if err := owned(tt.o, "rtz", "fsn"); !errors.As(err, &foreign) || foreign.Why != tt.want {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
}
