package strimzi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/layers/strimzi"
	"github.com/openova-io/failoverd/lease"
)

var planes = controlplane.Share(2, controlplane.Options{CRDs: []controlplane.CRDs{controlplane.Strimzi}})

func TestMain(m *testing.M) { os.Exit(planes.Main(m)) }

var mirrorMakers = schema.GroupVersionResource{Group: "kafka.strimzi.io", Version: "v1", Resource: "kafkamirrormaker2s"}

// A world is two regions, of which the layers tell each other over a board.
type world struct {
	t        *testing.T
	fsn, hel *region

	mu      sync.Mutex
	notes   map[lease.Region]string
	running map[string]bool // by region and connector
	passes  map[string]int  // that Strimzi's operator has made over a resource, by region and name
	both    int             // times that data went round
	ran     int             // times that any connector ran
}

// A region is one plane, and the layer that acts on one namespace of it. It is its own board.
type region struct {
	world     *world
	name      string
	namespace string
	admin     dynamic.Interface
	layer     *strimzi.Layer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, notes: map[lease.Region]string{}, running: map[string]bool{}, passes: map[string]int{}}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for i, name := range []string{"fsn", "hel"} {
		plane := planes.Planes(t)[i]
		admin, err := dynamic.NewForConfig(plane.Config())
		if err != nil {
			t.Fatal(err)
		}
		client, err := kube.New(plane.Config())
		if err != nil {
			t.Fatal(err)
		}
		r := &region{world: w, name: name, namespace: plane.Namespace(t), admin: admin}
		r.layer = strimzi.New(client, r, strimzi.Config{Selector: "group=rtz", Namespaces: []string{r.namespace}})
		if i == 0 {
			w.fsn = r
		} else {
			w.hel = r
		}
		running.Go(func() { r.run(ctx) })
	}
	t.Cleanup(func() { stop(); running.Wait() })
	return w
}

func (r *region) Publish(_, note string) {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.world.notes[lease.Region(r.name)] = note
}

func (r *region) Notes(string) []layers.Note {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	var notes []layers.Note
	for name, text := range r.world.notes {
		if name != lease.Region(r.name) {
			notes = append(notes, layers.Note{Region: name, Text: text})
		}
	}
	return notes
}

// create makes a resource by which a region gets what the other has. edit may spoil it.
func (r *region) create(name string, edit func(o *unstructured.Unstructured)) {
	t := r.world.t
	t.Helper()
	other := r.world.hel
	if r == other {
		other = r.world.fsn
	}
	o := &unstructured.Unstructured{}
	text := fmt.Sprintf(`
apiVersion: kafka.strimzi.io/v1
kind: KafkaMirrorMaker2
metadata: {name: %s, labels: {group: rtz}}
spec:
  replicas: 1
  target: {alias: %s, bootstrapServers: kafka, groupId: g, configStorageTopic: c, statusStorageTopic: s, offsetStorageTopic: o}
  mirrors:
  - source: {alias: %s, bootstrapServers: kafka}
    topicsPattern: ".*"
    sourceConnector: {tasksMax: 4, config: {replication.policy.class: org.apache.kafka.connect.mirror.IdentityReplicationPolicy}}
    checkpointConnector: {state: running}`, name, r.name, other.name)
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(o)
	}
	if _, err := r.admin.Resource(mirrorMakers).Namespace(r.namespace).Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
		t.Fatalf("%s: create %s: %v", r.name, name, err)
	}
}

func (r *region) get(name string) *unstructured.Unstructured {
	r.world.t.Helper()
	o, err := r.admin.Resource(mirrorMakers).Namespace(r.namespace).Get(r.world.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		r.world.t.Fatal(err)
	}
	return o
}

// run is Strimzi's operator and Kafka Connect: connectors take a turn to follow their states. Every third pass over a
// resource fails before it comes to them, and so does each over the one that is called unready; the status is of the
// generation all the same.
func (r *region) run(ctx context.Context) {
	for ctx.Err() == nil {
		list, err := r.admin.Resource(mirrorMakers).Namespace(r.namespace).List(ctx, metav1.ListOptions{})
		if err == nil {
			for i := range list.Items {
				r.step(ctx, &list.Items[i])
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Millisecond):
		}
	}
}

func (r *region) step(ctx context.Context, o *unstructured.Unstructured) {
	if o.GetAnnotations()["strimzi.io/pause-reconciliation"] == "true" {
		return // what runs goes on
	}
	mirrors, _, _ := unstructured.NestedSlice(o.Object, "spec", "mirrors")
	replicas, _, _ := unstructured.NestedInt64(o.Object, "spec", "replicas")
	connectors, turned := []any{}, false
	r.world.mu.Lock()
	pass := r.name + " " + o.GetName()
	r.world.passes[pass]++
	fails := r.world.passes[pass]%3 == 0 || o.GetName() == "unready"
	if fails {
		mirrors = nil
	}
	for _, m := range mirrors {
		alias, _, _ := unstructured.NestedString(m.(map[string]any), "source", "alias")
		for field, class := range map[string]string{"sourceConnector": "MirrorSourceConnector", "checkpointConnector": "MirrorCheckpointConnector"} {
			spec, has, _ := unstructured.NestedMap(m.(map[string]any), field)
			if !has {
				continue
			}
			name := alias + "->" + r.name + "." + class
			key, runs := o.GetName()+" "+name, replicas > 0 && (spec["state"] == nil || spec["state"] == "running")
			if r.world.running[key] != runs {
				r.world.running[key], turned = runs, true
				runs = !runs // the status is behind
			}
			state := "STOPPED"
			if runs {
				state = "RUNNING"
			}
			if replicas == 0 {
				continue // there is no Kafka Connect to ask
			}
			connectors = append(connectors, map[string]any{"name": name, "connector": map[string]any{"state": state}, "tasks": []any{}})
		}
	}
	for key, runs := range r.world.running {
		name, source, ok := strings.Cut(key, " ")
		if !ok || !runs || !strings.HasPrefix(source, "hel->fsn.MirrorSource") {
			continue
		}
		r.world.ran++
		if r.world.running[name+" fsn->hel.MirrorSourceConnector"] {
			r.world.both++
		}
	}
	r.world.mu.Unlock()
	status := map[string]any{"connectors": connectors, "conditions": []any{map[string]any{"type": "Ready", "status": "True"}}}
	if fails {
		status["conditions"] = []any{map[string]any{"type": "NotReady", "status": "True", "reason": "StrimziTimeoutException", "message": "Exceeded timeout of 300000ms"}}
	}
	if !turned {
		status["observedGeneration"] = o.GetGeneration()
	}
	text, _ := json.Marshal(map[string]any{"status": status})
	// What fails is tried again by the next step.
	_, _ = r.admin.Resource(mirrorMakers).Namespace(r.namespace).Patch(ctx, o.GetName(), types.MergePatchType, text, metav1.PatchOptions{}, "status")
}

func (r *region) order(epoch uint64) layers.Order {
	return layers.Order{Group: "rtz", Region: lease.Region(r.name), Epoch: epoch}
}

func (w *world) runs(key string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.running[key]
}
