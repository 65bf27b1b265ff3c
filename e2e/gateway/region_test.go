//go:build gateway

package gateway

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/httproute"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

var regions = controlplane.Share(2, controlplane.Options{CRDs: []controlplane.CRDs{controlplane.GatewayAPI}})

const selector = "failover.openova.io/group=e2e"

// patience is far above what anything here takes on two busy cores.
const patience = 60 * time.Second

// A region is a gateway, an application behind it, and the layer that acts on the route between them.
type region struct {
	*httproute.Layer
	name string
	url  string // of the gateway
	log  func() string

	client    *kube.Client
	namespace string
}

// newRegion makes one of the two regions, and waits until its gateway serves. throttle is how long that waits, after it has
// taken a change up, before it takes up the next.
func newRegion(t *testing.T, i int, throttle, delay time.Duration) *region {
	t.Helper()
	plane := regions.Planes(t)[i]
	client, err := kube.New(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	r := &region{
		name: []string{"fsn", "hel"}[i], client: client, namespace: plane.Namespace(t),
	}
	r.Layer = httproute.New(client, httproute.Config{Selector: selector, Namespaces: []string{r.namespace}, GatewayDelay: delay})
	application := r.serve(t)
	port := freePort(t)
	r.url = fmt.Sprintf("http://%s:%d", address, port)
	r.create(t, application, port)
	r.startGateway(t, plane.Kubeconfig, throttle)
	r.await(t, http.StatusOK)
	return r
}

// serve serves the application: "/" answers which region it is, "/stream" a line every 10 ms for as long as somebody reads.
func (r *region) serve(t *testing.T) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, r.name) })
	mux.HandleFunc("/stream", func(w http.ResponseWriter, request *http.Request) {
		tick := time.NewTicker(10 * time.Millisecond)
		defer tick.Stop()
		for {
			if _, err := fmt.Fprintln(w, r.name); err != nil {
				return
			}
			w.(http.Flusher).Flush()
			select {
			case <-tick.C:
			case <-request.Context().Done():
				return
			}
		}
	})
	server := &http.Server{Handler: mux}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	return listener.Addr().(*net.TCPAddr).Port
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// create makes a gateway, an application of a Service, and two routes: app leads to it, and old is a redirect.
func (r *region) create(t *testing.T, application, gateway int) {
	t.Helper()
	for _, o := range []struct {
		group, version, resource, text string
	}{
		{"gateway.networking.k8s.io", "v1", "gatewayclasses", `
kind: GatewayClass
metadata: {name: NAMESPACE}
spec: {controllerName: traefik.io/gateway-controller}`},
		{"gateway.networking.k8s.io", "v1", "gateways", fmt.Sprintf(`
kind: Gateway
metadata: {name: gateway}
spec:
  gatewayClassName: NAMESPACE
  listeners: [{name: web, port: %d, protocol: HTTP}]`, gateway)},
		{"", "v1", "services", fmt.Sprintf(`
kind: Service
metadata: {name: app}
spec: {ports: [{name: http, port: 80, targetPort: %d}]}`, application)},
		{"discovery.k8s.io", "v1", "endpointslices", fmt.Sprintf(`
kind: EndpointSlice
metadata: {name: app, labels: {kubernetes.io/service-name: app}}
addressType: IPv4
ports: [{name: http, port: %d}]
endpoints: [{addresses: ["%s"], conditions: {ready: true}}]`, application, address)},
		{"gateway.networking.k8s.io", "v1", "httproutes", `
kind: HTTPRoute
metadata: {name: app, labels: {failover.openova.io/group: e2e}}
spec:
  parentRefs: [{name: gateway}]
  hostnames: [app.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /}}]
    backendRefs: [{name: app, port: 80}]
  - matches: [{path: {type: PathPrefix, value: /old}}]
    filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /new}}}]`},
		{"gateway.networking.k8s.io", "v1", "httproutes", `
kind: HTTPRoute
metadata: {name: other}
spec:
  parentRefs: [{name: gateway}]
  hostnames: [other.example.com]
  rules: [{backendRefs: [{name: app, port: 80}]}]`},
	} {
		object := &unstructured.Unstructured{}
		if err := yaml.Unmarshal([]byte(replaced(o.text, r.namespace)), &object.Object); err != nil {
			t.Fatal(err)
		}
		gvr := schema.GroupVersionResource{Group: o.group, Version: o.version, Resource: o.resource}
		object.SetAPIVersion(gvr.GroupVersion().String())
		in := r.client.Resource(gvr).Namespace(r.namespace)
		var err error
		if o.resource == "gatewayclasses" {
			_, err = r.client.Resource(gvr).Create(t.Context(), object, metav1.CreateOptions{})
		} else {
			_, err = in.Create(t.Context(), object, metav1.CreateOptions{})
		}
		if err != nil {
			t.Fatalf("create %s: %v", o.resource, err)
		}
	}
}

// startGateway starts Traefik.
func (r *region) startGateway(t *testing.T, kubeconfig string, throttle time.Duration) {
	t.Helper()
	program, err := controlplane.Binary("gateway/traefik")
	if err != nil {
		t.Fatalf("%v: make gateway builds it", err)
	}
	process, err := daemon.StartProcess("/usr/bin/env", "KUBECONFIG="+kubeconfig, program,
		"--entrypoints.web.address="+r.url[len("http://"):],
		"--providers.kubernetesgateway=true", "--providers.kubernetesgateway.namespaces="+r.namespace,
		"--providers.providersthrottleduration="+throttle.String(),
		"--global.checknewversion=false", "--global.sendanonymoususage=false")
	if err != nil {
		t.Fatal(err)
	}
	r.log = func() string { stdout, stderr := process.Output(); return stdout + stderr }
	t.Cleanup(func() {
		if err := process.Kill(); err != nil {
			t.Error(err)
		}
	})
}

// get asks the gateway.
func (r *region) get(ctx context.Context, host, path string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+path, nil)
	if err != nil {
		return 0, err
	}
	request.Host = host
	response, err := http.DefaultTransport.RoundTrip(request) // no redirects
	if err != nil {
		return 0, err
	}
	return response.StatusCode, response.Body.Close()
}

// await waits until the gateway answers with a status.
func (r *region) await(t *testing.T, want int) {
	t.Helper()
	var got int
	var err error
	for begun := time.Now(); time.Since(begun) < patience; <-time.After(5 * time.Millisecond) {
		if got, err = r.get(t.Context(), "app.example.com", "/"); got == want {
			return
		}
	}
	t.Fatalf("%s: the gateway answers %d (%v), want %d\n%s", r.name, got, err, want, r.log())
}

// touch changes a route that is not of the group, as somebody does all the time.
func (r *region) touch(t *testing.T) {
	t.Helper()
	in := r.client.Resource(schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}).Namespace(r.namespace)
	o, err := in.Get(t.Context(), "other", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := unstructured.SetNestedStringSlice(o.Object, []string{fmt.Sprintf("other-%d.example.com", time.Now().UnixNano())}, "spec", "hostnames"); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Update(t.Context(), o, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (r *region) order(epoch uint64) layers.Order {
	return layers.Order{Group: "e2e", Region: lease.Region(r.name), Epoch: epoch}
}
