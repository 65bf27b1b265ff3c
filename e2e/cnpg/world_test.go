package cnpg_test

import (
	"context"
	"io"
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
	"k8s.io/client-go/dynamic"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/postgres"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/cnpg"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

var planes = controlplane.Share(2, controlplane.Options{CRDs: []controlplane.CRDs{controlplane.CNPG}, CNPGOperator: true})

func TestMain(m *testing.M) { os.Exit(planes.Main(m)) }

var (
	clusters   = postgres.Clusters
	namespaces = schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}
	pods       = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
)

// A world is two regions, of which the layers tell each other over a board that a test can have late or silent.
type world struct {
	t       *testing.T
	regions []*region
	group   *postgres.Group
	pause   func() // the instances, for good: they do no more of what they are to

	mu     sync.Mutex // of all that follows, and of the regions' calls
	notes  map[lease.Region]string
	silent map[lease.Region]time.Duration // for how long nothing has come, where that is so
}

// A region is one plane, and the layer that acts on one namespace of it.
type region struct {
	*postgres.Region
	world       *world
	admin       dynamic.Interface // does not go by the way that is counted
	layer       *cnpg.Layer
	client      *kube.Client
	transport   http.RoundTripper
	webhookDown bool // every write of a Cluster is refused

	calls map[string]int // requests of the layer
}

// newWorld makes the regions fsn and hel, with no Cluster yet.
func newWorld(t *testing.T) (w *world, fsn, hel *region) {
	t.Helper()
	w = &world{t: t, group: &postgres.Group{}, notes: map[lease.Region]string{}, silent: map[lease.Region]time.Duration{}}
	for i, name := range []string{"fsn", "hel"} {
		plane := planes.Planes(t)[i]
		config := plane.Config()
		config.QPS = -1
		admin, err := dynamic.NewForConfig(config)
		if err != nil {
			t.Fatal(err)
		}
		// Both regions have the namespace of one name, as regions do.
		r := &region{world: w, Region: w.group.Add(name, strings.ToLower(t.Name()), admin), admin: admin, calls: map[string]int{}}
		namespace := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Namespace", "metadata": map[string]any{"name": r.Namespace}}}
		if _, err := admin.Resource(namespaces).Create(t.Context(), namespace, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
		config = plane.Config()
		config.Wrap(func(transport http.RoundTripper) http.RoundTripper {
			r.transport = r.Instances(transport)
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
	running.Go(func() { w.group.Run(ctx) })
	w.pause = func() { stop(); running.Wait() }
	t.Cleanup(w.pause)
	return w, w.regions[0], w.regions[1]
}

func (r *region) newLayer(c cnpg.Config) *cnpg.Layer {
	c.Selector, c.Namespaces, c.Silence = "group=rtz", []string{r.Namespace}, time.Minute
	if c.FenceTimeout == 0 {
		c.FenceTimeout = 10 * time.Second
	}
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
	if _, silent := r.world.silent[lease.Region(r.Name)]; !silent {
		r.world.notes[lease.Region(r.Name)] = note
	}
}

func (r *region) Notes(string) []layers.Note {
	r.world.mu.Lock()
	defer r.world.mu.Unlock()
	var notes []layers.Note
	for name, text := range r.world.notes {
		if name != lease.Region(r.Name) {
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
	r.world.t.Helper()
	other := "fsn"
	if r.Name == other {
		other = "hel"
	}
	r.Create(r.world.t, name, primary, other, edit)
}

func (r *region) get(name string) *unstructured.Unstructured {
	r.world.t.Helper()
	o, err := r.admin.Resource(clusters).Namespace(r.Namespace).Get(r.world.t.Context(), name, metav1.GetOptions{})
	if err != nil {
		r.world.t.Fatal(err)
	}
	return o
}

func (r *region) order(epoch uint64, reason lease.ReasonCode) layers.Order {
	return layers.Order{Group: "rtz", Region: lease.Region(r.Name), Epoch: epoch, Reason: reason}
}

// until makes attempts, as the applier does, until one returns nil.
func (r *region) until(attempt func(context.Context, layers.Order) error, o layers.Order) time.Duration {
	t := r.world.t
	t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
	defer cancel()
	for {
		err := attempt(ctx, o)
		if err == nil {
			return time.Since(begun)
		}
		if ctx.Err() != nil {
			t.Fatalf("%s: epoch %d: %v", r.Name, o.Epoch, err)
		}
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

// RoundTrip counts requests, and has the webhook down.
func (r *region) RoundTrip(request *http.Request) (*http.Response, error) {
	verb := request.Method
	if postgres.Asks(request) {
		verb = "ask"
	}
	r.world.mu.Lock()
	r.calls[verb]++
	refused := r.webhookDown && verb == http.MethodPut && strings.Contains(request.URL.Path, "/clusters/")
	r.world.mu.Unlock()
	if refused {
		text := `{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","reason":"InternalError","code":500,"message":"Internal error occurred: failed calling webhook \"mcluster.cnpg.io\": failed to call webhook: Post \"https://cnpg-webhook-service.cnpg-system.svc:443/mutate-postgresql-cnpg-io-v1-cluster?timeout=10s\": dial tcp 10.96.1.204:443: connect: connection refused"}`
		return &http.Response{StatusCode: http.StatusInternalServerError, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), Request: request}, nil
	}
	return r.transport.RoundTrip(request)
}

func text(o *unstructured.Unstructured, path ...string) string {
	s, _, _ := unstructured.NestedString(o.Object, path...)
	return s
}

const fencedAnnotation = "cnpg.io/fencedInstances"
