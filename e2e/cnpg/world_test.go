package cnpg_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
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
	"github.com/openova-io/failoverd/layers/cnpg"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

var planes = controlplane.Share(2, controlplane.Options{CRDs: []controlplane.CRDs{controlplane.CNPG}, CNPGOperator: true})

func TestMain(m *testing.M) { os.Exit(planes.Main(m)) }

var (
	clusters   = schema.GroupVersionResource{Group: "postgresql.cnpg.io", Version: "v1", Resource: "clusters"}
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	pods       = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
)

// A world is two regions, of which the layers tell each other over a board that a test can have late or silent.
type world struct {
	t       *testing.T
	regions []*region
	pause   func() // the instances, for good: they do no more of what they are to

	mu     sync.Mutex // of all that follows, and of the regions
	notes  map[lease.Region]string
	silent map[lease.Region]time.Duration // for how long nothing has come, where that is so
	waited int                            // steps in which an instance found its token too early
	tokens int                            // promotions with a token
}

// A region is one plane, and the layer that acts on one namespace of it.
type region struct {
	world       *world
	name        string
	namespace   string
	admin       dynamic.Interface // does not go by the way that is counted
	layer       *cnpg.Layer
	client      *kube.Client
	transport   http.RoundTripper
	webhookDown bool // every write of a Cluster is refused

	instances map[string]*postgres
	calls     map[string]int // requests of the layer
}

// newWorld makes the regions fsn and hel, with no Cluster yet.
func newWorld(t *testing.T) (w *world, fsn, hel *region) {
	t.Helper()
	w = &world{t: t, notes: map[lease.Region]string{}, silent: map[lease.Region]time.Duration{}}
	for i, name := range []string{"fsn", "hel"} {
		plane := planes.Planes(t)[i]
		config := plane.Config()
		config.QPS = -1
		admin, err := dynamic.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		r := &region{world: w, name: name, namespace: strings.ToLower(t.Name()), admin: admin, instances: map[string]*postgres{}, calls: map[string]int{}}
		namespace := parse(t, "{apiVersion: v1, kind: Namespace, metadata: {name: "+r.namespace+"}}")
		if _, err := admin.Resource(namespaces).Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		config = plane.Config()
		config.Wrap(func(transport http.RoundTripper) http.RoundTripper {
			r.transport = transport
			return r
		})
		if r.client, err = kube.New(config); err != nil {
			t.Fatal(err)
		}
		r.layer = r.newLayer(cnpg.Config{MaxLag: 1 << 20})
		w.regions = append(w.regions, r)
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	for _, r := range w.regions {
		running.Go(func() { r.run(ctx) })
	}
	w.pause = func() { stop(); running.Wait() }
	t.Cleanup(w.pause)
	return w, w.regions[0], w.regions[1]
}

func (r *region) newLayer(c cnpg.Config) *cnpg.Layer {
	c.Selector, c.Namespaces, c.Silence, c.FenceTimeout = "group=rtz", []string{r.namespace}, time.Minute, 10*time.Second
	layer, err := cnpg.New(r.client, r, c)
	if err != nil {
		r.world.t.Fatal(err)
	}
	return layer
}

// Publish and Notes make a region its own board.
func (r *region) Publish(_, note string) {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	if _, silent := r.world.silent[lease.Region(r.name)]; !silent {
		r.world.notes[lease.Region(r.name)] = note
	}
}

func (r *region) Notes(string) []layers.Note {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	var notes []layers.Note
	for name, text := range r.world.notes {
		if name != lease.Region(r.name) {
			notes = append(notes, layers.Note{Region: name, Text: text, Silence: r.world.silent[name]})
		}
	}
	return notes
}

// watch runs the layer's Watch until the test ends.
func (r *region) watch(changed func()) {
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { r.layer.Watch(ctx, changed) })
	r.world.t.Cleanup(func() { stop(); running.Wait() })
}

// create makes a Cluster of the region, with its instance. edit may spoil it.
func (r *region) create(name, primary string, edit func(o *unstructured.Unstructured)) {
	t := r.world.t
	t.Helper()
	other := "fsn"
	if r.name == other {
		other = "hel"
	}
	o := parse(t, fmt.Sprintf(`
apiVersion: postgresql.cnpg.io/v1
kind: Cluster
metadata: {name: %s, labels: {group: rtz}}
spec:
  instances: 1
  switchoverDelay: 5
  smartShutdownTimeout: 1
  storage: {size: 1Gi}
  bootstrap: {pg_basebackup: {source: %s}}
  externalClusters:
  - {name: fsn, connectionParameters: {host: db.fsn.example.com}}
  - {name: hel, connectionParameters: {host: db.hel.example.com}}
  replica: {self: %s, primary: %s, source: %s}`, name, other, r.name, primary, other))
	if edit != nil {
		edit(o)
	}
	if _, err := r.admin.Resource(clusters).Namespace(r.namespace).Create(t.Context(), o, metav1.CreateOptions{}); err != nil {
		t.Fatalf("%s: create Cluster %s: %v", r.name, name, err)
	}
	pod := parse(t, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s-1, labels: {cnpg.io/cluster: %s, cnpg.io/podRole: instance}}
spec: {containers: [{name: postgres, image: postgres}]}`, name, name))
	if _, err := r.admin.Resource(pods).Namespace(r.namespace).Create(t.Context(), pod, metav1.CreateOptions{}); err != nil {
		t.Fatalf("%s: create a Pod: %v", r.name, err)
	}
	status := `{"status":{"phase":"Running","containerStatuses":[{"name":"postgres","image":"postgres","imageID":"","ready":true,"restartCount":0,"state":{"running":{}}}]}}`
	if _, err := r.admin.Resource(pods).Namespace(r.namespace).Patch(t.Context(), name+"-1", types.MergePatchType, []byte(status), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatalf("%s: set the status of a Pod: %v", r.name, err)
	}
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	r.instances[name] = &postgres{running: true, primary: primary == r.name, timeline: 1, end: 0x5000000, redo: 0x4000000}
}

func parse(t *testing.T, text string) *unstructured.Unstructured {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		t.Fatal(err)
	}
	return o
}

func (r *region) get(name string) *unstructured.Unstructured {
	r.world.t.Helper()
	o, err := r.admin.Resource(clusters).Namespace(r.namespace).Get(r.world.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		r.world.t.Fatal(err)
	}
	return o
}

// with does something with an instance.
func (r *region) with(name string, do func(p *postgres)) {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	do(r.instances[name])
}

func (r *region) order(epoch uint64, reason lease.ReasonCode) layers.Order {
	return layers.Order{Group: "rtz", Region: lease.Region(r.name), Epoch: epoch, Reason: reason}
}

// patience is far above what anything here takes on two busy cores.
const patience = 60 * time.Second

// until makes attempts, as the applier does, until one returns nil.
func (r *region) until(attempt func(context.Context, layers.Order) error, o layers.Order) time.Duration {
	t := r.world.t
	t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for {
		err := attempt(ctx, o)
		if err == nil {
			return time.Since(begun)
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: epoch %d: %v", r.name, o.Epoch, err)
		}
	}
}

// await waits until a condition holds.
func (w *world) await(what string, is func() bool) {
	w.t.Helper()
	for begun := time.Now(); !is(); {
		if time.Since(begun) > patience {
			w.t.Fatalf("waited %v in vain until %s", patience, what)
		}
		<-time.After(10 * time.Millisecond)
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// takeCalls are the requests of the layer since it was asked last.
func (r *region) takeCalls() map[string]int {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	calls := maps.Clone(r.calls)
	clear(r.calls)
	return calls
}

// writable is how many regions take writes of a Cluster.
func (w *world) writable(name string) (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range w.regions {
		if p := r.instances[name]; p != nil && p.writable() {
			n++
		}
	}
	return n
}
