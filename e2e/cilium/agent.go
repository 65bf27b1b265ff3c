package cilium

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/cilium/cilium/api/v1/models"
	"github.com/cilium/cilium/api/v1/server"
	"github.com/cilium/cilium/api/v1/server/restapi"
	"github.com/cilium/cilium/api/v1/server/restapi/daemon"
	"github.com/cilium/cilium/api/v1/server/restapi/endpoint"
	"github.com/cilium/cilium/pkg/identity"
	"github.com/cilium/cilium/pkg/ipcache/types"
	v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	"github.com/cilium/cilium/pkg/labels"
	"github.com/cilium/cilium/pkg/policy/api"
	"github.com/fsnotify/fsnotify"
	"github.com/go-openapi/loads"
	"github.com/go-openapi/runtime/middleware"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"
)

// An agent is a stand-in of Cilium's: its policy engine, behind its own API on a unix socket, with pods that are not there.
// It takes policies from the API server and from a directory of static ones, as the real one does, and it can be worse
// company than that.
type agent struct {
	*engine
	Socket string
	Static string // the directory of --static-cnp-path

	mu       sync.Mutex
	pods     []*pod
	files    map[string]bool // static policies that it has
	died     error           // what would have ended the real one
	lazy     func(*pod) bool // pods that it does not regenerate
	mischief http.Handler    // what answers in its place; nil for nothing
	audit    bool
}

// A pod is an endpoint.
type pod struct {
	name     string
	labels   []string
	identity *identity.Identity
	wanted   *models.EndpointPolicy // by the newest regeneration, which knows nothing of what came after it
	realised *models.EndpointPolicy
}

// busy is how long an agent takes to get to what it is told of.
const busy = 50 * time.Millisecond

// startAgent starts an agent for a test.
func startAgent(t testing.TB) *agent {
	t.Helper()
	dir := t.TempDir()
	a := &agent{engine: newEngine(), Socket: filepath.Join(dir, "cilium.sock"), Static: filepath.Join(dir, "policies"), files: map[string]bool{}}
	if err := os.Mkdir(a.Static, 0o755); err != nil {
		t.Fatal(err)
	}
	handler, err := a.api()
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", a.Socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.mu.Lock()
		h := a.mischief
		a.mu.Unlock()
		if h == nil {
			h = handler
		}
		h.ServeHTTP(w, r)
	}), BaseContext: func(net.Listener) context.Context { return ctx }}
	var running sync.WaitGroup
	running.Go(func() { _ = s.Serve(listener) })
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = watcher.Add(a.Static)
	}
	if err != nil {
		t.Fatal(err)
	}
	running.Go(func() { a.watchStatic(ctx, watcher) })
	running.Go(func() { a.regenerate(ctx) })
	t.Cleanup(func() {
		cancel()
		_ = s.Close()
		_ = watcher.Close()
		running.Wait()
		if a.died != nil {
			t.Errorf("the agent would have ended itself: %v", a.died)
		}
	})
	return a
}

// addPod adds a pod with labels, as key=value, of this cluster.
func (a *agent) addPod(namespace, name string, text ...string) *pod {
	all := []string{"k8s:io.kubernetes.pod.namespace=" + namespace, "k8s:io.cilium.k8s.policy.cluster=" + cluster}
	for _, l := range text {
		all = append(all, "k8s:"+l)
	}
	none := &models.EndpointPolicy{PolicyEnabled: models.EndpointPolicyEnabledNone}
	p := &pod{name: name, labels: all, identity: a.identity(all...), wanted: none, realised: none}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pods = append(a.pods, p)
	return p
}

// misbehave has something else answer; nil for no more.
func (a *agent) misbehave(h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mischief = nil
	if h != nil {
		a.mischief = h
	}
}

// neglect has pods not regenerated; nil for no more.
func (a *agent) neglect(which func(*pod) bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.lazy = which
}

// fenced is how many pods have a policy realised that denies anybody.
func (a *agent) fenced() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.pods {
		if len(p.realised.DeniedIngressIdentities) > 0 {
			n++
		}
	}
	return n
}

// regenerate brings what is realised up to what is wanted, in a moment, and what is wanted up to the policies.
func (a *agent) regenerate(ctx context.Context) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		a.mu.Lock()
		for _, p := range a.pods {
			if a.lazy == nil || !a.lazy(p) {
				p.realised = p.wanted
			}
			if m, err := a.model(p.identity); err == nil {
				p.wanted = m
			}
		}
		a.mu.Unlock()
	}
}

// api is the agent's API, of Cilium's own stubs.
func (a *agent) api() (http.Handler, error) {
	doc, err := loads.Analyzed(server.SwaggerJSON, "")
	if err != nil {
		return nil, err
	}
	stubs := restapi.NewCiliumAPIAPI(doc)
	stubs.EndpointGetEndpointHandler = endpoint.GetEndpointHandlerFunc(func(endpoint.GetEndpointParams) middleware.Responder {
		all := a.endpoints()
		if len(all) == 0 {
			return endpoint.NewGetEndpointNotFound()
		}
		return endpoint.NewGetEndpointOK().WithPayload(all)
	})
	stubs.DaemonGetClusterNodesHandler = daemon.GetClusterNodesHandlerFunc(func(daemon.GetClusterNodesParams) middleware.Responder {
		return daemon.NewGetClusterNodesOK().WithPayload(&models.ClusterNodeStatus{Self: cluster + "/node-1"})
	})
	stubs.DaemonGetHealthzHandler = healthz(func() *models.StatusResponse {
		return &models.StatusResponse{
			Cilium:      &models.Status{State: models.StatusStateOk},
			ClusterMesh: &models.ClusterMeshStatus{Clusters: []*models.RemoteCluster{{Name: remote, Status: "no connection", Ready: true}}},
		}
	})
	return stubs.Serve(nil), nil
}

type healthz func() *models.StatusResponse

func (h healthz) Handle(daemon.GetHealthzParams) middleware.Responder {
	return daemon.NewGetHealthzOK().WithPayload(h())
}

func (a *agent) endpoints() []*models.Endpoint {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []*models.Endpoint
	for i, p := range a.pods {
		wanted, realised := *p.wanted, *p.realised
		if a.audit {
			realised.PolicyEnabled = models.EndpointPolicyEnabledAuditDashBoth
		}
		wanted.PolicyEnabled = realised.PolicyEnabled // there is one answer for both
		ready := models.EndpointStateReady
		all = append(all, &models.Endpoint{ID: int64(i + 1), Status: &models.EndpointStatus{
			State:               &ready,
			ExternalIdentifiers: &models.EndpointIdentifiers{K8sPodName: p.name},
			Labels:              &models.LabelConfigurationStatus{SecurityRelevant: p.labels, Realized: &models.LabelConfigurationSpec{}},
			Policy:              &models.EndpointPolicyStatus{Spec: &wanted, Realized: &realised},
		}})
	}
	return all
}

// watchStatic follows the directory as pkg/policy/directory does: where that one ends its agent, so does this.
func (a *agent) watchStatic(ctx context.Context, watcher *fsnotify.Watcher) {
	for {
		select {
		case <-ctx.Done():
			return
		case ev, ok := <-watcher.Events:
			if !ok {
				return
			}
			if filepath.Ext(ev.Name) != ".yaml" || len(validation.IsDNS1123Subdomain(filepath.Base(ev.Name))) > 0 {
				continue
			}
			if ev.Has(fsnotify.Create) || ev.Has(fsnotify.Write) {
				// It is told of the file before it reads it, and has other things to do.
				select {
				case <-ctx.Done():
					return
				case <-time.After(busy):
				}
				if err := a.load(ev.Name); err != nil {
					a.mu.Lock()
					a.died = errors.Join(a.died, err)
					a.mu.Unlock()
				}
			}
			if ev.Has(fsnotify.Remove) || ev.Has(fsnotify.Rename) {
				_ = a.set(types.ResourceKindFile, filepath.Base(ev.Name), nil, nil)
			}
		}
	}
}

func (a *agent) load(path string) error {
	p, err := readStatic(path)
	if err != nil {
		return err
	}
	name := filepath.Base(path)
	return a.set(types.ResourceKindFile, name, p, func(r *api.Rule) {
		r.Labels = labels.LabelArray{
			labels.NewLabel("filename", name, labels.LabelSourceDirectory),
			labels.NewLabel("policy-derived-from", "CiliumClusterwideNetworkPolicy", labels.LabelSourceDirectory),
		}
	})
}

func readStatic(path string) (*v2.CiliumNetworkPolicy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	p := &v2.CiliumNetworkPolicy{}
	if err := yaml.Unmarshal(text, p); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

// setAudit has the agent enforce nothing, and say so.
func (a *agent) setAudit(on bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.audit = on
}
