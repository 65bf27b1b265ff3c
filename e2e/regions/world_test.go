package regions

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/postgres"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

var planes = controlplane.Share(2, controlplane.Options{
	CRDs:         []controlplane.CRDs{controlplane.GatewayAPI, controlplane.Cilium, controlplane.MCS, controlplane.CNPG},
	CNPGOperator: true,
})

func TestMain(m *testing.M) { os.Exit(planes.Main(m)) }

var (
	httpRoutes = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}
	services   = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	policies   = schema.GroupVersionResource{Group: "cilium.io", Version: "v2", Resource: "ciliumclusterwidenetworkpolicies"}
)

const (
	ttl      = 10 * time.Second
	selector = "group=rtz"
	policy   = "failoverd-fence-" + daemon.GroupName
	gate     = 250 * time.Millisecond // between the probes of the dead-man gate
)

// databases are the Clusters of each region; there are as many routes and Services.
var databases = []string{"one", "two"}

// now reads the clock that everything here is told by.
func now() lease.Instant { return bootclock.Clock{}.Now() }

// A world is two regions.
type world struct {
	t         *testing.T
	regions   []*region // in the order of the members
	databases *postgres.Group
	gone      atomic.Bool // an agent is dead or frozen, or has not yet fenced since

	mu      sync.Mutex
	samples []sample
}

// A region is a daemon, and the cluster that it acts on.
type region struct {
	*daemon.Region
	dns       []*resolvers.Meddler // its ways to the resolvers, and theirs to it
	database  *postgres.Region
	namespace string
	admin     dynamic.Interface

	mu      sync.Mutex
	address string                     // of the agent's API
	ready   bool                       // the dead-man gate, as a kubelet sees it
	objects map[string]map[string]bool // by resource, which there are, and whether the application gets its traffic
}

// newWorld makes the regions fsn and hel, with objects that fsn is to be active for, and starts both.
func newWorld(t *testing.T) *world {
	t.Helper()
	params := lease.Params{
		Members: []lease.Region{"fsn", "hel"},
		TTL:     ttl, RenewInterval: time.Second, RetryInterval: 300 * time.Millisecond,
		PollInterval: 250 * time.Millisecond, RequestTimeout: 3 * time.Second, FenceTimeout: 3 * time.Second,
		MaxClockDrift: 0.002,
	}
	lab := resolvers.Start(t, params.Members)
	quorum := &daemon.Quorum{Zone: resolvers.Zone, Listen: map[lease.Region]string{}, Resolvers: map[lease.Region][]string{}, Timeout: params.RequestTimeout * 3 / 4}
	dns := map[lease.Region][]*resolvers.Meddler{}
	for _, m := range params.Members {
		quorum.Listen[m] = lab.Address()
		dns[m] = append(dns[m], lab.NewMeddler(t, lab.Region(m), quorum.Listen[m]))
		for _, resolver := range lab.Resolvers {
			way := lab.NewMeddler(t, lab.Address(), resolver.Address)
			dns[m] = append(dns[m], way)
			quorum.Resolvers[m] = append(quorum.Resolvers[m], way.Address)
		}
	}
	w := &world{t: t, databases: &postgres.Group{}}
	t.Cleanup(func() { removePolicies(t) }) // when the agents are gone
	group := daemon.NewGroup(t, daemon.Build(t, true), params, quorum)
	for i, r := range group.Regions {
		w.regions = append(w.regions, w.newRegion(planes.Planes(t)[i], r))
		w.regions[i].dns = dns[r.Name]
	}
	ctx, stop := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { w.databases.Run(ctx) })
	for _, r := range w.regions {
		r.create(t)
		running.Go(func() { r.probe(ctx) })
		running.Go(func() { r.follow(ctx) })
	}
	t.Cleanup(func() { stop(); running.Wait() })
	for _, r := range w.regions {
		r.start(t)
	}
	return w
}

// removePolicies removes the fences that are of whole clusters: they would bear epochs of this test in the next one.
func removePolicies(t *testing.T) {
	for _, plane := range planes.Planes(t) {
		admin, err := dynamic.NewForConfig(plane.Config())
		if err == nil {
			err = admin.Resource(policies).Delete(context.Background(), policy, metav1.DeleteOptions{})
		}
		if err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
	}
}

// start starts the region's agent.
func (r *region) start(t *testing.T) {
	t.Helper()
	r.Start(t)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.address = r.Address()
}

func (w *world) newRegion(plane *controlplane.Plane, d *daemon.Region) *region {
	w.t.Helper()
	config := plane.Config()
	config.QPS = -1
	admin, err := dynamic.NewForConfig(config)
	if err != nil {
		w.t.Fatal(err)
	}
	namespace := strings.ToLower(w.t.Name()) // of one name everywhere, as Clusters of one topology are
	r := &region{objects: map[string]map[string]bool{}, Region: d, namespace: namespace, admin: admin, database: w.databases.Add(string(d.Name), namespace, admin)}
	kubeconfig := d.Path("kubeconfig")
	text := fmt.Sprintf("apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: %q}}]\ncontexts: [{name: c, context: {cluster: c}}]\ncurrent-context: c\n", r.way(w.t, config))
	if err := os.WriteFile(kubeconfig, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	objects := fmt.Sprintf("selector: %s, namespaces: [%s]", selector, namespace)
	d.Configure(w.t, fmt.Sprintf(`  httproute: {%s, gateway_delay: 200ms}
  cilium: {%[1]s, socket: ""}
  cnpg: {%[1]s}
`, objects), fmt.Sprintf("kubernetes: {kubeconfig: %s}\n", kubeconfig))
	return r
}

// way is a server on the daemon's way to the API server, on which instances of PostgreSQL answer too. It returns its URL.
func (r *region) way(t *testing.T, config *rest.Config) string {
	t.Helper()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	if target.Scheme == "" {
		target, _ = url.Parse("https://" + config.Host)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(p *httputil.ProxyRequest) { p.SetURL(target) },
		Transport:     r.database.Instances(transport),
		FlushInterval: -1, // watches
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	// Not httptest's: its Close waits for requests, and the daemon, which is killed later, makes new ones that never end.
	server := &http.Server{Handler: proxy}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	return "http://" + listener.Addr().String()
}

// create makes the region's objects. What Git says is that fsn is the primary, and that every region serves.
func (r *region) create(t *testing.T) {
	t.Helper()
	other := map[lease.Region]string{"fsn": "hel", "hel": "fsn"}[r.Name]
	r.apply(t, schema.GroupVersionResource{Version: "v1", Resource: "namespaces"}, "{apiVersion: v1, kind: Namespace, metadata: {name: "+r.namespace+"}}", "")
	for _, name := range databases {
		r.database.Create(t, name, "fsn", other, nil)
		r.apply(t, services, `{apiVersion: v1, kind: Service, metadata: {name: NAME, labels: {group: rtz}, annotations: {service.cilium.io/global: "true"}}, spec: {ports: [{port: 80}]}}`, name)
		r.apply(t, httpRoutes, `{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: NAME, labels: {group: rtz}}, spec: {parentRefs: [{name: gateway}], rules: [{backendRefs: [{name: NAME, port: 80}]}]}}`, name)
	}
}

func (r *region) apply(t *testing.T, resource schema.GroupVersionResource, text, name string) {
	t.Helper()
	o := &unstructured.Unstructured{}
	if err := yaml.Unmarshal([]byte(strings.ReplaceAll(text, "NAME", name)), &o.Object); err != nil {
		t.Fatal(err)
	}
	in := r.admin.Resource(resource)
	var err error
	if resource.Resource == "namespaces" {
		_, err = in.Create(t.Context(), o, metav1.CreateOptions{})
	} else {
		_, err = in.Namespace(r.namespace).Create(t.Context(), o, metav1.CreateOptions{})
	}
	if err != nil {
		t.Fatalf("%s: create %s %s: %v", r.Name, resource.Resource, name, err)
	}
}

// probe asks the dead-man gate as a kubelet would: one answer that is not 200, or none, and the pod is not ready.
func (r *region) probe(ctx context.Context) {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: time.Second}
	for ctx.Err() == nil {
		ready := false
		r.mu.Lock()
		address := r.address
		r.mu.Unlock()
		if address != "" {
			if answer, err := client.Get("http://" + address + "/readyz?gate=" + daemon.GroupName); err == nil {
				answer.Body.Close()
				ready = answer.StatusCode == http.StatusOK
			}
		}
		r.mu.Lock()
		r.ready = ready
		r.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-time.After(gate):
		}
	}
}

// askedThrough has the region's ways through the DNS be as told.
func (r *region) askedThrough(does resolvers.Meddling) {
	for _, way := range r.dns {
		way.Set(does)
	}
}

// await waits until a condition holds.
func (w *world) await(what string, is func() bool) {
	w.t.Helper()
	daemon.Await(w.t, what, is, func() string {
		var state []string
		for _, r := range w.regions {
			s, err := r.Status(w.t.Context())
			_, explained, _ := r.CLI(w.t.Context(), "explain")
			state = append(state, fmt.Sprintf("%s: %+v %v\n%s", r.Name, s, err, explained))
		}
		return strings.Join(state, "\n")
	})
}
