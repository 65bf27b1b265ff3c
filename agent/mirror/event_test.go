package mirror

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

func TestEventWords(t *testing.T) {
	order := layers.Order{Group: "rtz", Region: "fsn", Epoch: 5, Reason: lease.ReasonRenewalLate}
	for _, tt := range []struct {
		e       kube.Event
		warning bool
		action  string
		note    string
	}{
		{kube.Event{Action: layers.Fence, Order: order}, false, "fence", "fenced for epoch 5: the lease could not be renewed, so the region fences before its authority ends"},
		{kube.Event{Action: layers.Fence, Order: layers.Order{Reason: lease.ReasonRenewalLate}}, false, "fence", "fenced: the lease could not be renewed, so the region fences before its authority ends"},
		{kube.Event{Action: layers.Activate, Order: order, Again: true}, true, "put_back", "it is new, or others had changed it: activated again for epoch 5"},
		{kube.Event{Action: layers.Fence, Order: order, Again: true, Err: errors.New("forbidden")}, true, "fence", "not fenced yet for epoch 5: forbidden"},
	} {
		k, note := ofObject(tt.e)
		if k.warning != tt.warning || k.action != tt.action || k.reason != "renewal_late" || note != tt.note {
			t.Errorf("got %+v %q, want %v %s %q", k, note, tt.warning, tt.action, tt.note)
		}
	}
	k, note := ofTransition(lease.Transition{To: lease.Fencing, Epoch: 5, Reason: lease.ReasonSplitBrain})
	if !k.warning || k.action != "fencing" || k.reason != "split_brain" || !strings.HasPrefix(note, "start to fencing, epoch 5: another region is active") {
		t.Errorf("got %+v %q", k, note)
	}
	for _, tt := range []struct {
		n       lease.Notice
		action  string
		warning bool
		note    string
	}{
		{lease.Notice{Reason: lease.NoticeWitnessDown, Detail: "writing the own flag"}, notice, true, "witness unreachable: reads or writes of the witness fail; writing the own flag"},
		{lease.Notice{Reason: lease.NoticeSavedUnusable}, notice, false, "saved authority unusable: the authority on disk is of another boot or other safety parameters, has run out, or makes no sense, so the region fences first"},
		{lease.Notice{Reason: lease.NoticeWitnessDown, Region: "fsn", Witness: "kv"}, notice, true, "witness unreachable (fsn at witness kv): reads or writes of the witness fail"},
		{lease.Notice{Reason: lease.NoticeWitnessDown, Witness: "kv"}, noticeEnded, false, "witness unreachable no more (witness kv)"},
		{lease.Notice{Reason: lease.NoticePeerUnreachable, Region: "hel"}, noticeEnded, false, "region unreachable no more (hel)"},
	} {
		k, note := ofNotice(tt.n, tt.action)
		if k.warning != tt.warning || k.action != tt.action || k.reason != string(tt.n.Reason) || k.about != tt.n.About() || note != tt.note {
			t.Errorf("got %+v %q, want %v %s %q", k, note, tt.warning, tt.action, tt.note)
		}
	}
	// Every reason says something, and none is longer than the API server takes.
	for _, r := range lease.Reasons {
		_, note := ofTransition(lease.Transition{From: lease.Active, To: lease.Standby, Reason: r.Code})
		if len(note) > longestNote {
			t.Errorf("%s is %d bytes long", r.Code, len(note))
		}
	}
}

// TestEventLimits: what comes from outside is cut to what the API server takes.
func TestEventLimits(t *testing.T) {
	at := time.Unix(1e9, 1)
	for _, name := range []string{"route", strings.Repeat("a", 253), strings.Repeat("a", 235) + ".b-c" + strings.Repeat("d", 14)} {
		got := eventName(name, at)
		if errs := validation.IsDNS1123Subdomain(got); len(errs) > 0 {
			t.Errorf("%q: %v", got, errs)
		}
	}
	e := entry{note: strings.Repeat("é", 600) + "!", first: at, last: at, count: 1}
	note, _ := e.object("fsn").Object["note"].(string)
	if len(note) > longestNote || !utf8.ValidString(note) || len(note) < longestNote-4 {
		t.Errorf("got a note of %d bytes", len(note))
	}
	if _, series := e.object("fsn").Object["series"]; series {
		t.Error("what happened once is no series")
	}
	if got := namespaceOf(kube.Reference{}); got != "default" {
		t.Errorf("got namespace %q for an object without", got)
	}
}
