package httproute

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/httproute"
	"github.com/openova-io/failoverd/layers/kube"
)

var region = controlplane.Share(1, controlplane.Options{CRDs: []controlplane.CRDs{controlplane.GatewayAPI}})

func TestMain(m *testing.M) {
	if os.Getenv(victimNamespace) != "" {
		os.Exit(victim())
	}
	os.Exit(region.Main(m))
}

const group = "gateway.networking.k8s.io"

var httpRoutes = schema.GroupVersionResource{Group: group, Version: "v1", Resource: "httproutes"}

const selector = "failover.openova.io/group=e2e"

// limit is far above what anything here takes: two busy cores.
const limit = 2 * time.Minute

func order(epoch uint64) layers.Order { return layers.Order{Group: "e2e", Region: "fsn", Epoch: epoch} }

// newLayer is the layer of the routes of one namespace.
func newLayer(tb testing.TB, config *rest.Config, namespaces ...string) (*httproute.Layer, *kube.Client) {
	tb.Helper()
	client, err := kube.New(config)
	if err != nil {
		tb.Fatal(err)
	}
	return httproute.New(client, httproute.Config{Selector: selector, Namespaces: namespaces}), client
}

// route is a route with one rule of its own.
func route(namespace string, i int) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": group + "/v1", "kind": "HTTPRoute",
		"metadata": map[string]any{"name": fmt.Sprintf("route-%04d", i), "namespace": namespace, "labels": map[string]any{"failover.openova.io/group": "e2e"}},
		"spec": map[string]any{
			"parentRefs": []any{map[string]any{"name": "gateway"}},
			"hostnames":  []any{fmt.Sprintf("app-%d.example.com", i)},
			"rules": []any{map[string]any{
				"matches":     []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/"}}},
				"backendRefs": []any{map[string]any{"name": fmt.Sprintf("app-%d", i), "port": int64(8000 + i%7)}},
			}},
		},
	}}
}

// create creates routes, many at once.
func create(tb testing.TB, client *kube.Client, namespace string, n int) {
	tb.Helper()
	err := controlplane.AtOnce(n, func(i int) error {
		_, err := client.Resource(httpRoutes).Namespace(namespace).Create(tb.Context(), route(namespace, i), metav1.CreateOptions{})
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// specs are the specs of all routes of a namespace, as they are stored.
func specs(tb testing.TB, client *kube.Client, namespace string) map[string]string {
	tb.Helper()
	out := map[string]string{}
	for _, o := range list(tb, client, namespace) {
		spec, err := json.Marshal(o.Object["spec"])
		if err != nil {
			tb.Fatal(err)
		}
		out[o.GetName()] = string(spec)
	}
	return out
}

func list(tb testing.TB, client *kube.Client, namespace string) []unstructured.Unstructured {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), limit)
	defer cancel()
	got, err := client.Resource(httpRoutes).Namespace(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	return got.Items
}

// backend is the name of the Service that the first rule of a route leads to.
func backend(o *unstructured.Unstructured) string {
	rules, _, _ := unstructured.NestedSlice(o.Object, "spec", "rules")
	refs, _ := rules[0].(map[string]any)["backendRefs"].([]any)
	name, _ := refs[0].(map[string]any)["name"].(string)
	return name
}

const fenceService = "failoverd-fence"
