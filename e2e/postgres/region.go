package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
)

// Clusters are CloudNativePG's.
var Clusters = schema.GroupVersionResource{Group: "postgresql.cnpg.io", Version: "v1", Resource: "clusters"}

var pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}

// A Group is the regions whose instances stream from one another. Its methods, and those of its regions, may be used
// concurrently.
type Group struct {
	mu      sync.Mutex // of all that follows, and of the regions' instances
	regions []*Region
	waited  int // steps in which an instance found its token too early
	tokens  int // promotions with a token
}

// A Region is a namespace of one control plane.
type Region struct {
	Name      string
	Namespace string

	group     *Group
	admin     dynamic.Interface
	instances map[string]*Instance // by Cluster
}

// Add adds a region, as whose administrator admin acts on its plane. Its instances live when Run runs.
func (g *Group) Add(name, namespace string, admin dynamic.Interface) *Region {
	r := &Region{Name: name, Namespace: namespace, group: g, admin: admin, instances: map[string]*Instance{}}
	g.regions = append(g.regions, r)
	return r
}

// Run has the instances of all regions live until ctx ends.
func (g *Group) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, r := range g.regions {
		running.Go(func() { r.run(ctx) })
	}
	running.Wait()
}

// Writable is how many regions take writes of a Cluster.
func (g *Group) Writable(cluster string) (n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, r := range g.regions {
		if p := r.instances[cluster]; p != nil && p.Writable() {
			n++
		}
	}
	return n
}

// Tokens is how many promotions there were with a token, and how often an instance found one too early.
func (g *Group) Tokens() (used, tooEarly int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.tokens, g.waited
}

// With does something with the instance of a Cluster.
func (r *Region) With(cluster string, do func(p *Instance)) {
	r.group.mu.Lock()
	defer r.group.mu.Unlock()
	do(r.instances[cluster])
}

// Rebuild clones the instance of a Cluster anew from another region's, as pg_basebackup does: what a former primary needs that has
// written what the present one has not.
func (r *Region) Rebuild(cluster string, from *Region) {
	r.group.mu.Lock()
	defer r.group.mu.Unlock()
	clone := *from.instances[cluster]
	clone.Primary, clone.Running, clone.stopping, clone.left, clone.Forks = false, true, 0, "", slices.Clone(clone.Forks)
	*r.instances[cluster] = clone
}

// Diverged reports whether the instance of a Cluster has written what another region's has not, and can't follow it.
func (r *Region) Diverged(cluster string, from *Region) bool {
	r.group.mu.Lock()
	defer r.group.mu.Unlock()
	return r.instances[cluster].diverged(from.instances[cluster])
}

// Create makes a Cluster of the region, with its instance; it is labelled group=rtz. primary is the region that is the primary
// at first, other the peer. edit may spoil it; nil does not.
func (r *Region) Create(tb testing.TB, name, primary, other string, edit func(o *unstructured.Unstructured)) {
	tb.Helper()
	o := parse(tb, fmt.Sprintf(`
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
  - {name: %s, connectionParameters: {host: db.%[3]s.example.com}}
  - {name: %s, connectionParameters: {host: db.%[4]s.example.com}}
  replica: {self: %[3]s, primary: %[5]s, source: %[4]s}`, name, other, r.Name, other, primary))
	if edit != nil {
		edit(o)
	}
	if _, err := r.admin.Resource(Clusters).Namespace(r.Namespace).Create(tb.Context(), o, metav1.CreateOptions{}); err != nil {
		tb.Fatalf("%s: create Cluster %s: %v", r.Name, name, err)
	}
	pod := parse(tb, fmt.Sprintf(`
apiVersion: v1
kind: Pod
metadata: {name: %s-1, labels: {cnpg.io/cluster: %s, cnpg.io/podRole: instance}}
spec: {containers: [{name: postgres, image: postgres}]}`, name, name))
	if _, err := r.admin.Resource(pods).Namespace(r.Namespace).Create(tb.Context(), pod, metav1.CreateOptions{}); err != nil {
		tb.Fatalf("%s: create a Pod: %v", r.Name, err)
	}
	status := `{"status":{"phase":"Running","containerStatuses":[{"name":"postgres","image":"postgres","imageID":"","ready":true,"restartCount":0,"state":{"running":{}}}]}}`
	if _, err := r.admin.Resource(pods).Namespace(r.Namespace).Patch(tb.Context(), name+"-1", types.MergePatchType, []byte(status), metav1.PatchOptions{}, "status"); err != nil {
		tb.Fatalf("%s: set the status of a Pod: %v", r.Name, err)
	}
	r.group.mu.Lock()
	defer r.group.mu.Unlock()
	r.instances[name] = &Instance{Running: true, Primary: primary == r.Name, Timeline: 1, End: 0x5000000, Redo: 0x4000000}
}

func parse(tb testing.TB, text string) *unstructured.Unstructured {
	tb.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(text), &o.Object); err != nil {
		tb.Fatal(err)
	}
	return o
}

var statusPath = regexp.MustCompile(`^/api/v1/namespaces/([^/]+)/pods/https:([^/]+)-1:8000/proxy/pg/status$`)

// Asks reports whether a request to the API server is a question to an instance.
func Asks(request *http.Request) bool { return statusPath.MatchString(request.URL.Path) }

// Instances is a way to the API server on which the region's instances answer too. Nobody asks a kubelet.
func (r *Region) Instances(next http.RoundTripper) http.RoundTripper { return way{r, next} }

type way struct {
	region *Region
	next   http.RoundTripper
}

// RoundTrip answers what an instance is asked, and passes on the rest.
func (w way) RoundTrip(request *http.Request) (*http.Response, error) {
	at := statusPath.FindStringSubmatch(request.URL.Path)
	if at == nil {
		return w.next.RoundTrip(request)
	}
	w.region.group.mu.Lock()
	p := w.region.instances[at[2]]
	var body []byte
	hangs := p != nil && p.Hangs
	if p != nil {
		body, _ = json.Marshal(p.status())
	}
	w.region.group.mu.Unlock()
	response := &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: http.Header{"Content-Type": {"application/json"}}, Request: request}
	switch {
	case hangs:
		<-request.Context().Done()
		return nil, request.Context().Err()
	case p == nil:
		response.StatusCode, response.Header, body = http.StatusServiceUnavailable, http.Header{}, []byte("no such instance")
	}
	response.Body, response.ContentLength = io.NopCloser(strings.NewReader(string(body))), int64(len(body))
	return response, nil
}
