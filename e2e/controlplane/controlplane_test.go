package controlplane_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/openova-io/failoverd/e2e/controlplane"
)

var regions = controlplane.Share(2, controlplane.Options{
	CRDs:              []controlplane.CRDs{controlplane.GatewayAPI, controlplane.Cilium, controlplane.CNPG, controlplane.Strimzi},
	ControllerManager: true,
	CNPGOperator:      true,
})

func TestMain(m *testing.M) { os.Exit(regions.Main(m)) }

var (
	httpRoutes   = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}
	grpcRoutes   = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "grpcroutes"}
	tlsRoutes    = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "tlsroutes"}
	tcpRoutes    = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "tcproutes"}
	policies     = schema.GroupVersionResource{Group: "cilium.io", Version: "v2", Resource: "ciliumclusterwidenetworkpolicies"}
	clusters     = schema.GroupVersionResource{Group: "postgresql.cnpg.io", Version: "v1", Resource: "clusters"}
	mirrorMakers = schema.GroupVersionResource{Group: "kafka.strimzi.io", Version: "v1", Resource: "kafkamirrormaker2s"}
)

// TestAdmission creates an object of each kind in both regions, and then patches it to what its schema does not allow.
func TestAdmission(t *testing.T) {
	tests := []struct {
		kind        string
		resource    schema.GroupVersionResource
		clusterWide bool
		spec        string
		invalid     string // a JSON merge patch
		want        string // in the error
	}{
		{
			kind: "HTTPRoute", resource: httpRoutes,
			spec:    `{"parentRefs": [{"name": "gateway"}], "rules": [{"backendRefs": [{"name": "web", "port": 80}]}]}`,
			invalid: `{"spec": {"rules": [{"backendRefs": [{"name": "web", "port": 80, "weight": -1}]}]}}`,
			want:    "weight",
		},
		{
			kind: "GRPCRoute", resource: grpcRoutes,
			spec:    `{"parentRefs": [{"name": "gateway"}], "rules": [{"backendRefs": [{"name": "web", "port": 80}]}]}`,
			invalid: `{"spec": {"rules": [{"backendRefs": [{"name": "web"}]}]}}`,
			want:    "Must have port for Service reference",
		},
		{
			kind: "TLSRoute", resource: tlsRoutes,
			spec:    `{"parentRefs": [{"name": "gateway"}], "hostnames": ["db.example.com"], "rules": [{"backendRefs": [{"name": "db", "port": 5432}]}]}`,
			invalid: `{"spec": {"rules": []}}`,
			want:    "rules",
		},
		{
			kind: "TCPRoute", resource: tcpRoutes,
			spec:    `{"parentRefs": [{"name": "gateway"}], "rules": [{"backendRefs": [{"name": "db", "port": 5432}]}]}`,
			invalid: `{"spec": {"rules": [{"backendRefs": []}]}}`,
			want:    "backendRefs",
		},
		{
			kind: "CiliumClusterwideNetworkPolicy", resource: policies, clusterWide: true,
			spec:    `{"endpointSelector": {"matchLabels": {"app": "web"}}, "ingressDeny": [{"fromEntities": ["world", "remote-node", "ingress"]}]}`,
			invalid: `{"spec": {"ingressDeny": [{"fromEntities": ["everyone"]}]}}`,
			want:    "everyone",
		},
		{
			kind: "Cluster", resource: clusters,
			spec:    `{"instances": 1, "storage": {"size": "1Gi"}}`,
			invalid: `{"spec": {"instances": -1}}`,
			want:    "instances",
		},
		{
			kind: "KafkaMirrorMaker2", resource: mirrorMakers,
			spec: `{"replicas": 1, "target": {"alias": "fsn", "bootstrapServers": "kafka:9092", "groupId": "mm2", "configStorageTopic": "c", "statusStorageTopic": "s", "offsetStorageTopic": "o"},
				"mirrors": [{"source": {"alias": "hel", "bootstrapServers": "kafka.hel:9092"}, "sourceConnector": {"state": "stopped"}, "checkpointConnector": {"state": "stopped"}}]}`,
			invalid: `{"spec": {"mirrors": [{"source": {"alias": "hel", "bootstrapServers": "kafka.hel:9092"}, "sourceConnector": {"state": "halted"}}]}}`,
			want:    "halted",
		},
	}
	for i, plane := range regions.Planes(t) {
		client, namespace := newClient(t, plane), plane.Namespace(t)
		for _, tt := range tests {
			var resource dynamic.ResourceInterface = client.Resource(tt.resource).Namespace(namespace)
			if tt.clusterWide {
				resource = client.Resource(tt.resource)
			}
			if _, err := resource.Create(t.Context(), object(t, tt.resource, tt.kind, "test", tt.spec), metav1.CreateOptions{}); err != nil {
				t.Errorf("region %d: create a %s: %v", i, tt.kind, err)
				continue
			}
			_, err := resource.Patch(t.Context(), "test", types.MergePatchType, []byte(tt.invalid), metav1.PatchOptions{})
			if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("region %d: %s patched with %s: error %v; want that it is invalid, and %q", i, tt.kind, tt.invalid, err, tt.want)
			}
		}
	}
}

func newClient(tb testing.TB, plane *controlplane.Plane) *dynamic.DynamicClient {
	tb.Helper()
	client, err := dynamic.NewForConfig(plane.Config())
	if err != nil {
		tb.Fatal(err)
	}
	return client
}

// object is one of a kind, with its spec as JSON.
func object(tb testing.TB, resource schema.GroupVersionResource, kind, name, spec string) *unstructured.Unstructured {
	tb.Helper()
	o := &unstructured.Unstructured{}
	text := fmt.Sprintf(`{"apiVersion": %q, "kind": %q, "metadata": {"name": %q}, "spec": %s}`, resource.GroupVersion(), kind, name, spec)
	if err := o.UnmarshalJSON([]byte(text)); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return o
}
