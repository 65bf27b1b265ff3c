package postgres

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

// System is the identity of every database here: each was copied from one.
const System = "7400000000000000001"

// An Instance stands in for the instance of a Cluster, its manager, and what the operator does when it has one.
type Instance struct {
	Running, Primary bool
	Timeline         int
	End              uint64   // of its log
	Redo             uint64   // of its last checkpoint
	Cut              bool     // it does not stream
	Hangs            bool     // it does not answer
	Slow             int      // steps that it takes to stop
	Tokenless        bool     // the operator does not get to making a token
	Forks            []uint64 // where the timelines after the first begin

	stopping int
	left     string // the token of the last demotion, until it is primary again
}

// LSN is a position of the log as PostgreSQL writes it.
func LSN(at uint64) string { return fmt.Sprintf("%X/%X", at>>32, uint32(at)) }

// checkpoint is the length of the record that a shutdown ends with.
const checkpoint = 0x70

// Write is what a client writes; it fails where PostgreSQL would not take it.
func (p *Instance) Write(bytes uint64) bool {
	if !p.Running || !p.Primary || p.stopping > 0 {
		return false
	}
	p.End += bytes
	return true
}

// Writable reports whether a client could write.
func (p *Instance) Writable() bool { return p.Running && p.Primary && p.stopping == 0 }

// stream takes over what another has written, if its history goes on from this one's.
func (p *Instance) stream(from *Instance) {
	if !p.Running || p.Primary || p.Cut || from == nil || from.Timeline < p.Timeline || p.diverged(from) {
		return
	}
	p.Timeline, p.Forks = from.Timeline, append([]uint64(nil), from.Forks...)
	p.End, p.Redo = max(p.End, from.End), max(p.Redo, from.Redo)
}

// diverged reports whether it has gone another way than one that is on a later timeline.
func (p *Instance) diverged(from *Instance) bool {
	for line := p.Timeline; line < from.Timeline; line++ {
		if p.End > from.Forks[line-1] {
			return true
		}
	}
	return false
}

// Token is what the operator would leave of it when it is demoted.
func (p *Instance) Token() string {
	text, _ := json.Marshal(map[string]string{
		"latestCheckpointTimelineID": fmt.Sprint(p.Timeline), "redoWalFile": "000000010000000000000003", "databaseSystemIdentifier": System,
		"latestCheckpointREDOLocation": LSN(p.Redo), "timeOfLatestCheckpoint": "Wed Nov 25 09:00:00 2026", "operatorVersion": "1.30.0",
	})
	return base64.StdEncoding.EncodeToString(text)
}

// status is what its manager answers.
func (p *Instance) status() map[string]any {
	s := map[string]any{"isPrimary": p.Primary, "mightBeUnavailable": !p.Running || p.stopping > 0}
	switch {
	case !p.Running:
		s["mightBeUnavailableMaskedError"] = "failed to connect"
		return s
	case p.Primary:
		s["currentLsn"] = LSN(p.End)
	default:
		s["receivedLsn"], s["replayLsn"], s["isWalReceiverActive"] = LSN(p.End), LSN(p.End), !p.Cut
	}
	s["systemID"], s["timeLineID"] = System, p.Timeline
	return s
}

// run steps all instances of a region until ctx ends.
func (r *Region) run(ctx context.Context) {
	for ctx.Err() == nil {
		list, err := r.admin.Resource(Clusters).Namespace(r.Namespace).List(ctx, metav1.ListOptions{})
		if err == nil {
			for i := range list.Items {
				r.step(ctx, &list.Items[i])
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// step does what an instance, its manager and the operator do next for a Cluster, and writes what they would.
func (r *Region) step(ctx context.Context, o *unstructured.Unstructured) {
	status, annotations := map[string]any{}, map[string]any{}
	if !r.decide(o, status, annotations) {
		return
	}
	// Only where it is as it was seen, as CloudNativePG writes a status too: a demotion begins on no Cluster that Git has
	// just made a primary again.
	version := o.GetResourceVersion()
	patch := func(subresource string, metadata, body map[string]any) {
		metadata["resourceVersion"] = version
		body["metadata"] = metadata
		text, _ := json.Marshal(body)
		var sub []string
		if subresource != "" {
			sub = []string{subresource}
		}
		// What fails is tried again by the next step.
		if written, err := r.admin.Resource(Clusters).Namespace(r.Namespace).Patch(ctx, o.GetName(), types.MergePatchType, text, metav1.PatchOptions{}, sub...); err == nil {
			version = written.GetResourceVersion()
		}
	}
	if len(status) > 0 {
		patch("status", map[string]any{}, map[string]any{"status": status})
	}
	if len(annotations) > 0 {
		patch("", map[string]any{"annotations": annotations}, map[string]any{})
	}
}

func text(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}

const fencedAnnotation = "cnpg.io/fencedInstances"

// decide is a step; it says which status and annotations the Cluster gets.
func (r *Region) decide(o *unstructured.Unstructured, status, annotations map[string]any) bool {
	r.group.mu.Lock()
	defer r.group.mu.Unlock()
	p := r.instances[o.GetName()]
	if p == nil {
		return false
	}
	self := text(o, "spec", "replica", "self")
	stanza, _, _ := unstructured.NestedMap(o.Object, "spec", "replica")
	isReplica := stanza != nil && text(o, "spec", "replica", "primary") != self
	fenced := strings.Contains(o.GetAnnotations()[fencedAnnotation], `"*"`)
	paused := o.GetAnnotations()["cnpg.io/reconciliationLoop"] == "disabled"
	switching, _, _ := unstructured.NestedBool(o.Object, "status", "switchReplicaClusterStatus", "inProgress")
	want := func(key string, value any) {
		if got, _, _ := unstructured.NestedFieldNoCopy(o.Object, "status", key); got != value {
			status[key] = value
		}
	}

	switch {
	case fenced && p.Running && p.stopping < p.Slow:
		p.stopping++
	case fenced && p.Running:
		p.Running, p.stopping = false, 0
		if p.Primary {
			p.Redo = p.End
			p.End += checkpoint
		}
	case !fenced && !p.Running && !(isReplica && p.Primary):
		p.Running = true
	}
	for _, peer := range r.group.regions {
		if peer != r && isReplica && peer.Name == text(o, "spec", "replica", "source") {
			p.stream(peer.instances[o.GetName()])
		}
	}

	instance := o.GetName() + "-1"
	want("currentPrimary", instance)
	want("targetPrimary", instance)
	want("systemID", System)
	switch {
	case isReplica && p.Primary && paused: // nobody demotes it
	case isReplica && p.Primary && !fenced:
		annotations[fencedAnnotation] = `["*"]`
	case isReplica && p.Primary && !switching:
		status["switchReplicaClusterStatus"] = map[string]any{"inProgress": true}
	case isReplica && p.Primary && p.Tokenless:
	case isReplica && p.Primary && !p.Running:
		p.Primary, p.left = false, p.Token()
	case isReplica && switching && fenced:
		annotations[fencedAnnotation] = nil
	case isReplica && switching:
		status["switchReplicaClusterStatus"] = map[string]any{"inProgress": false}
	case !isReplica && !p.Primary && p.Running:
		r.promote(o, p, status)
	case !isReplica && p.Primary:
		want("lastPromotionToken", text(o, "spec", "replica", "promotionToken"))
		p.left = ""
	}
	// Again and again: the write may fail, since somebody has changed the Cluster meanwhile.
	if got := text(o, "status", "demotionToken"); got != p.left {
		status["demotionToken"] = p.left
	}
	return true
}

// promote is what an instance manager does with a token, or without.
func (r *Region) promote(o *unstructured.Unstructured, p *Instance, status map[string]any) {
	token := text(o, "spec", "replica", "promotionToken")
	if token != "" && token != text(o, "status", "lastPromotionToken") {
		data, _ := base64.StdEncoding.DecodeString(token)
		var t map[string]string
		_ = json.Unmarshal(data, &t)
		switch {
		case t["latestCheckpointTimelineID"] < fmt.Sprint(p.Timeline), t["latestCheckpointREDOLocation"] == LSN(0), p.Redo > 0 && t["latestCheckpointREDOLocation"] < LSN(p.Redo):
			status["phase"] = "Cluster is unrecoverable and needs manual intervention"
			return
		case t["latestCheckpointREDOLocation"] != LSN(p.Redo):
			r.group.waited++ // it would look again after 10 s
			return
		}
	}
	p.Primary = true
	p.Forks = append(p.Forks, p.End)
	p.Timeline++
	p.End += 0x100
	if token != "" {
		r.group.tokens++
	}
}
