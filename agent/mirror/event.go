package mirror

import (
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

var events = schema.GroupVersionResource{Group: "events.k8s.io", Version: "v1", Resource: "events"}

// The actions of Events, beside those of layers and the names of states.
const (
	putBack     = "put_back"
	notice      = "notice"
	noticeEnded = "notice_ended"
)

// ofObject is the Event for what an order has come to for an object.
func ofObject(e kube.Event) (key, string) {
	done, epoch := "fenced", ""
	if e.Action == layers.Activate {
		done = "activated"
	}
	if e.Order.Epoch > 0 { // a fence may be without authority
		epoch = fmt.Sprintf(" for epoch %d", e.Order.Epoch)
	}
	k := key{object: e.Object, reason: string(e.Order.Reason), action: string(e.Action), epoch: e.Order.Epoch}
	switch {
	case e.Err != nil:
		k.warning = true
		return k, fmt.Sprintf("not %s yet%s: %v", done, epoch, e.Err)
	case e.Again:
		k.warning, k.action = true, putBack
		return k, fmt.Sprintf("it is new, or others had changed it: %s again%s", done, epoch)
	}
	return k, fmt.Sprintf("%s%s: %s", done, epoch, lease.ReasonOf(e.Order.Reason).Text)
}

// ofTransition is the Event for a change of the region's state. It is about the Lease,
// which may not be there yet.
func ofTransition(t lease.Transition) (key, string) {
	why := lease.ReasonOf(t.Reason)
	k := key{warning: why.Severity != lease.Informational, reason: string(t.Reason), action: string(t.To), epoch: t.Epoch}
	from := t.From
	if from == "" {
		from = "start"
	}
	note := fmt.Sprintf("%s to %s", from, t.To)
	if t.Epoch > 0 {
		note += fmt.Sprintf(", epoch %d", t.Epoch)
	}
	return k, note + ": " + why.Text
}

// ofNotice is the Event for what an operator should know of, and for its end.
func ofNotice(n lease.Notice, action string) (key, string) {
	why := lease.ReasonOf(n.Reason)
	k := key{warning: action == notice && why.Severity != lease.Informational, reason: string(n.Reason), action: action, about: n.About()}
	text := why.Title
	if action == noticeEnded {
		text += " no more"
	}
	if about := n.About(); about != "" {
		text += fmt.Sprintf(" (%s)", about)
	}
	if action == noticeEnded {
		return k, text
	}
	text += ": " + why.Text
	if n.Detail != "" {
		text += "; " + n.Detail
	}
	return k, text
}

// What the API server takes at most, in bytes.
const (
	longestNote = 1024
	longestName = 253
)

// eventName is the name of the Event for something that happened to an object.
func eventName(object string, at time.Time) string {
	suffix := fmt.Sprintf(".%x", at.UnixNano())
	return strings.TrimRight(object[:min(len(object), longestName-len(suffix))], ".-") + suffix
}

// namespaceOf is where Events about an object are: those about an object without a
// namespace are in default.
func namespaceOf(r kube.Reference) string {
	if r.Namespace == "" {
		return metav1.NamespaceDefault
	}
	return r.Namespace
}

// object is the Event as it is created.
func (e entry) object(self lease.Region) *unstructured.Unstructured {
	kind := "Normal"
	if e.warning {
		kind = "Warning"
	}
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": events.GroupVersion().String(), "kind": "Event",
		"eventTime": e.first.UTC().Format(metav1.RFC3339Micro), "type": kind, "reason": e.reason, "action": e.action,
		"note":                strings.ToValidUTF8(e.note[:min(len(e.note), longestNote)], ""),
		"reportingController": kube.FieldManager, "reportingInstance": string(self),
		"regarding": map[string]any{
			"apiVersion": e.key.object.APIVersion, "kind": e.key.object.Kind,
			"namespace": e.key.object.Namespace, "name": e.key.object.Name, "uid": string(e.key.object.UID),
		},
	}}
	o.SetNamespace(namespaceOf(e.key.object))
	o.SetName(eventName(e.key.object.Name, e.first))
	if e.count > 1 {
		o.Object["series"] = e.series()
	}
	return o
}

// series is how often it happened, and when last. A series has two at least.
func (e entry) series() map[string]any {
	return map[string]any{"count": int64(e.count), "lastObservedTime": e.last.UTC().Format(metav1.RFC3339Micro)}
}
