package cnpg_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
)

const system = "7400000000000000001"

// A postgres stands in for the instance of a Cluster, its manager, and what the operator does when it has one. Its fields
// belong to world.mu.
type postgres struct {
	running, primary bool
	timeline         int
	end              uint64 // of its log
	redo             uint64 // of its last checkpoint
	cut              bool   // it does not stream
	hangs            bool   // it does not answer
	slow             int    // steps that it takes to stop
	tokenless        bool   // the operator does not get to making a token

	stopping int
	forks    []uint64 // where the timelines after the first begin
}

func lsn(at uint64) string { return fmt.Sprintf("%X/%X", at>>32, uint32(at)) }

// checkpoint is the length of the record that a shutdown ends with.
const checkpoint = 0x70

// write is what a client writes; it fails where PostgreSQL would not take it.
func (p *postgres) write(bytes uint64) bool {
	if !p.running || !p.primary || p.stopping > 0 {
		return false
	}
	p.end += bytes
	return true
}

// writable reports whether a client could write.
func (p *postgres) writable() bool { return p.running && p.primary && p.stopping == 0 }

// stream takes over what another has written, if its history goes on from this one's.
func (p *postgres) stream(from *postgres) {
	if !p.running || p.primary || p.cut || from == nil || from.timeline < p.timeline {
		return
	}
	for line := p.timeline; line < from.timeline; line++ {
		if p.end > from.forks[line-1] {
			return // it has gone another way
		}
	}
	p.timeline, p.forks = from.timeline, append([]uint64(nil), from.forks...)
	p.end, p.redo = max(p.end, from.end), max(p.redo, from.redo)
}

func (p *postgres) token() string {
	text, _ := json.Marshal(map[string]string{
		"latestCheckpointTimelineID": fmt.Sprint(p.timeline), "redoWalFile": "000000010000000000000003", "databaseSystemIdentifier": system,
		"latestCheckpointREDOLocation": lsn(p.redo), "timeOfLatestCheckpoint": "Wed Nov 25 09:00:00 2026", "operatorVersion": "1.30.0",
	})
	return base64.StdEncoding.EncodeToString(text)
}

// status is what its manager answers.
func (p *postgres) status() map[string]any {
	s := map[string]any{"isPrimary": p.primary, "mightBeUnavailable": !p.running || p.stopping > 0}
	switch {
	case !p.running:
		s["mightBeUnavailableMaskedError"] = "failed to connect"
		return s
	case p.primary:
		s["currentLsn"] = lsn(p.end)
	default:
		s["receivedLsn"], s["replayLsn"], s["isWalReceiverActive"] = lsn(p.end), lsn(p.end), !p.cut
	}
	s["systemID"], s["timeLineID"] = system, p.timeline
	return s
}

// run steps all instances of a region until ctx ends.
func (r *region) run(ctx context.Context) {
	for ctx.Err() == nil {
		list, err := r.admin.Resource(clusters).Namespace(r.namespace).List(ctx, metav1.ListOptions{})
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
func (r *region) step(ctx context.Context, o *unstructured.Unstructured) {
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
		if written, err := r.admin.Resource(clusters).Namespace(r.namespace).Patch(ctx, o.GetName(), types.MergePatchType, text, metav1.PatchOptions{}, sub...); err == nil {
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
func (r *region) decide(o *unstructured.Unstructured, status, annotations map[string]any) bool {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
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
	case fenced && p.running && p.stopping < p.slow:
		p.stopping++
	case fenced && p.running:
		p.running, p.stopping = false, 0
		if p.primary {
			p.redo = p.end
			p.end += checkpoint
		}
	case !fenced && !p.running && !(isReplica && p.primary):
		p.running = true
	}
	for _, peer := range r.world.regions {
		if peer != r && isReplica && peer.name == text(o, "spec", "replica", "source") {
			p.stream(peer.instances[o.GetName()])
		}
	}

	instance := o.GetName() + "-1"
	want("currentPrimary", instance)
	want("targetPrimary", instance)
	want("systemID", system)
	switch {
	case isReplica && p.primary && paused: // nobody demotes it
	case isReplica && p.primary && !fenced:
		annotations[fencedAnnotation] = `["*"]`
	case isReplica && p.primary && !switching:
		status["switchReplicaClusterStatus"] = map[string]any{"inProgress": true}
	case isReplica && p.primary && p.tokenless:
	case isReplica && p.primary && !p.running:
		p.primary = false
		status["demotionToken"] = p.token()
	case isReplica && switching && fenced:
		annotations[fencedAnnotation] = nil
	case isReplica && switching:
		status["switchReplicaClusterStatus"] = map[string]any{"inProgress": false}
	case !isReplica && !p.primary && p.running:
		r.promote(o, p, status)
	case !isReplica && p.primary:
		want("lastPromotionToken", text(o, "spec", "replica", "promotionToken"))
		if text(o, "status", "demotionToken") != "" {
			status["demotionToken"] = ""
		}
	}
	return true
}

// promote is what an instance manager does with a token, or without.
func (r *region) promote(o *unstructured.Unstructured, p *postgres, status map[string]any) {
	token := text(o, "spec", "replica", "promotionToken")
	if token != "" && token != text(o, "status", "lastPromotionToken") {
		data, _ := base64.StdEncoding.DecodeString(token)
		var t map[string]string
		_ = json.Unmarshal(data, &t)
		switch {
		case t["latestCheckpointTimelineID"] < fmt.Sprint(p.timeline), t["latestCheckpointREDOLocation"] == lsn(0), p.redo > 0 && t["latestCheckpointREDOLocation"] < lsn(p.redo):
			status["phase"] = "Cluster is unrecoverable and needs manual intervention"
			return
		case t["latestCheckpointREDOLocation"] != lsn(p.redo):
			r.world.waited++ // it would look again after 10 s
			return
		}
	}
	p.primary = true
	p.forks = append(p.forks, p.end)
	p.timeline++
	p.end += 0x100
	if token != "" {
		r.world.tokens++
	}
}

var statusPath = regexp.MustCompile(`^/api/v1/namespaces/([^/]+)/pods/https:([^/]+)-1:8000/proxy/pg/status$`)

// RoundTrip counts requests, and answers those to instances.
func (r *region) RoundTrip(request *http.Request) (*http.Response, error) {
	at := statusPath.FindStringSubmatch(request.URL.Path)
	r.world.mu.Lock()
	verb := request.Method
	if at != nil {
		verb = "ask"
	}
	r.calls[verb]++
	p := (*postgres)(nil)
	if at != nil {
		p = r.instances[at[2]]
	}
	var body []byte
	hangs := p != nil && p.hangs
	refused := r.webhookDown && request.Method == http.MethodPut && strings.Contains(request.URL.Path, "/clusters/")
	if p != nil {
		body, _ = json.Marshal(p.status())
	}
	r.world.mu.Unlock()
	switch {
	case refused:
		text := `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"InternalError","code":500,"message":"Internal error occurred: failed calling webhook \"mcluster.cnpg.io\": failed to call webhook: Post \"https://cnpg-webhook-service.cnpg-system.svc:443/mutate-postgresql-cnpg-io-v1-cluster?timeout=10s\": dial tcp 10.96.1.204:443: connect: connection refused"}`
		return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), Request: request}, nil
	case at == nil:
		return r.transport.RoundTrip(request)
	case hangs:
		<-request.Context().Done()
		return nil, request.Context().Err()
	case p == nil:
		return &http.Response{StatusCode: http.StatusServiceUnavailable, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("no such instance")), Request: request}, nil
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(string(body))), Request: request}, nil
}
