package cilium

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/cilium/cilium/pkg/ipcache/types"
	v2 "github.com/cilium/cilium/pkg/k8s/apis/cilium.io/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/cilium"
	"github.com/openova-io/failoverd/layers/kube"
)

var region = controlplane.Share(1, options)

var options = controlplane.Options{CRDs: []controlplane.CRDs{controlplane.Cilium, controlplane.MCS}}

func TestMain(m *testing.M) { os.Exit(region.Main(m)) }

var (
	policies = schema.GroupVersionResource{Group: "cilium.io", Version: "v2", Resource: "ciliumclusterwidenetworkpolicies"}
	services = schema.GroupVersionResource{Version: "v1", Resource: "services"}
	exports  = schema.GroupVersionResource{Group: "multicluster.x-k8s.io", Version: "v1beta1", Resource: "serviceexports"}
)

// limit is far above what anything here takes: two busy cores.
const limit = 2 * time.Minute

// A world is a layer, on a namespace of its own.
type world struct {
	*cilium.Layer
	client    *kube.Client
	namespace string
	group     string
}

func (w world) selector() string { return "failover.openova.io/group=" + w.group }
func (w world) policy() string   { return "failoverd-fence-" + w.group }

func (w world) order(epoch uint64) layers.Order {
	return layers.Order{Group: w.group, Region: "fsn", Epoch: epoch}
}

// newWorld makes a layer; a is nil where it has no agent. An agent without a directory is one without static policies.
func newWorld(t testing.TB, plane *controlplane.Plane, a *agent) world {
	t.Helper()
	return newWorldBy(t, plane, plane.Config(), a)
}

// newWorldBy makes a layer that gets to its plane by a configuration.
func newWorldBy(t testing.TB, plane *controlplane.Plane, config *rest.Config, a *agent) world {
	t.Helper()
	w := world{namespace: plane.Namespace(t)}
	w.group = w.namespace
	w.client = newClient(t, config)
	c := cilium.Config{Group: w.group, Selector: w.selector(), Namespaces: []string{w.namespace}}
	if a != nil {
		c.Socket, c.StaticPolicies = a.Socket, a.Static
		a.follow(t, newClient(t, plane.Config()), w.policy())
	}
	var err error
	if w.Layer, err = cilium.New(w.client, c); err != nil {
		t.Fatal(err)
	}
	return w
}

func newClient(t testing.TB, config *rest.Config) *kube.Client {
	t.Helper()
	client, err := kube.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// pod adds a pod that is the layer's.
func (w world) pod(a *agent, name string, more ...string) *pod {
	return a.addPod(w.namespace, name, append(more, w.selector())...)
}

// within is a context with a deadline.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// service creates a Service that is the layer's.
func (w world) service(t testing.TB, name string, annotations map[string]string) {
	t.Helper()
	if _, err := w.client.Resource(services).Namespace(w.namespace).Create(t.Context(), w.serviceObject(name, annotations), metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func (w world) serviceObject(name string, annotations map[string]string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "Service",
		"spec": map[string]any{"ports": []any{map[string]any{"port": int64(80)}}, "selector": map[string]any{"app": name}},
	}}
	o.SetName(name)
	o.SetLabels(map[string]string{"failover.openova.io/group": w.group})
	o.SetAnnotations(annotations)
	return o
}

func (w world) get(t testing.TB, resource schema.GroupVersionResource, name string) *unstructured.Unstructured {
	t.Helper()
	o, err := w.client.Resource(resource).Namespace(w.namespace).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// storedPolicy is the policy as the API server has it.
func (w world) storedPolicy(ctx context.Context) (*v2.CiliumNetworkPolicy, error) {
	o, err := w.client.Resource(policies).Get(ctx, w.policy(), metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	return parse(o)
}

// parse reads a policy as the agent does, which has one type for both kinds.
func parse(o *unstructured.Unstructured) (*v2.CiliumNetworkPolicy, error) {
	p := &v2.CiliumNetworkPolicy{}
	return p, runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, p)
}

// follow has an agent watch a policy on the API server, until the test ends. Without the API server it keeps what it has.
func (a *agent) follow(t testing.TB, client *kube.Client, name string) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			a.followOnce(ctx, client, name)
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
}

func (a *agent) followOnce(ctx context.Context, client *kube.Client, name string) {
	only := metav1.ListOptions{FieldSelector: "metadata.name=" + name}
	list, err := client.Resource(policies).List(ctx, only)
	if err != nil {
		return
	}
	take := func(o *unstructured.Unstructured) error {
		if o == nil {
			return a.set(types.ResourceKindCCNP, name, nil, nil)
		}
		p, err := parse(o)
		if err != nil {
			return err
		}
		return a.set(types.ResourceKindCCNP, name, p, nil)
	}
	if len(list.Items) > 0 {
		err = take(&list.Items[0])
	} else {
		err = take(nil)
	}
	only.ResourceVersion = list.GetResourceVersion()
	w, watchErr := client.Resource(policies).Watch(ctx, only)
	if watchErr != nil {
		return
	}
	defer w.Stop()
	for err == nil {
		ev, ok := <-w.ResultChan()
		if !ok {
			return
		}
		o, is := ev.Object.(*unstructured.Unstructured)
		switch {
		case !is:
			return
		case ev.Type == "DELETED":
			err = take(nil)
		default:
			err = take(o)
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.died = fmt.Errorf("the policy %s: %w", name, err)
}
