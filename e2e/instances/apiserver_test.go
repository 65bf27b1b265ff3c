package instances

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/e2e/controlplane"
)

// An apiServer is one instance's way to the API server. What is cut hangs, as in a network that drops packets.
type apiServer struct {
	Kubeconfig string

	server *httptest.Server

	mu      sync.Mutex
	cut     func(path string) bool // nil: nothing
	written []string               // by this instance, since Forget: method and path of what the API server has taken
}

func newAPIServer(t *testing.T, plane *controlplane.Plane) *apiServer {
	t.Helper()
	config := plane.Config()
	transport, err := rest.TransportFor(config)
	if err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(config.Host)
	if err != nil {
		t.Fatal(err)
	}
	a := &apiServer{}
	proxy := &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) },
		ModifyResponse: func(r *http.Response) error {
			if r.Request.Method != http.MethodGet && r.StatusCode < 300 {
				a.mu.Lock()
				defer a.mu.Unlock()
				a.written = append(a.written, r.Request.Method+" "+r.Request.URL.Path)
			}
			return nil
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	a.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		cut := a.cut != nil && a.cut(r.URL.Path)
		a.mu.Unlock()
		if cut {
			_, _ = io.Copy(io.Discard, r.Body) // before that the server can't notice that the client has gone
			<-r.Context().Done()
			panic(http.ErrAbortHandler)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		a.server.CloseClientConnections()
		a.server.Close()
	})
	a.Kubeconfig = filepath.Join(t.TempDir(), "kubeconfig")
	kubeconfig := fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c}}], clusters: [{name: c, cluster: {server: %q}}]}\n", a.server.URL)
	if err := os.WriteFile(a.Kubeconfig, []byte(kubeconfig), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// everything and leases are what can be cut.
func everything(string) bool { return true }

func leases(path string) bool { return strings.Contains(path, "/leases") }

// Cut cuts what is asked for by these paths; nil heals. What is under way is cut too.
func (a *apiServer) Cut(these func(path string) bool) {
	a.mu.Lock()
	a.cut, a.written = these, nil
	a.mu.Unlock()
	a.server.CloseClientConnections()
}

// Written is what the instance has written since the last cut.
func (a *apiServer) Written() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.written...)
}
