package mirror

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	dto "github.com/prometheus/client_model/go"

	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/agent/mirror"
	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

var cluster = controlplane.Share(1, controlplane.Options{CRDs: []controlplane.CRDs{controlplane.GatewayAPI}})

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

var (
	leases     = schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}
	events     = schema.GroupVersionResource{Group: "events.k8s.io", Version: "v1", Resource: "events"}
	httpRoutes = schema.GroupVersionResource{Group: "gateway.networking.k8s.io", Version: "v1", Resource: "httproutes"}
)

// params are those of a region that has little patience.
func params() lease.Params {
	return lease.Params{
		Group: "e2e", Region: "fsn", Members: []lease.Region{"fsn", "hel"},
		TTL: 10 * time.Second, RenewInterval: time.Second, RetryInterval: 100 * time.Millisecond, RequestTimeout: 5 * time.Second,
	}
}

// A shown is a mirror that runs, and what it logs.
type shown struct {
	*mirror.Mirror
	client    *kube.Client
	namespace string
	stop      func() // returns when it has ended

	mu  sync.Mutex
	log bytes.Buffer
}

func (s *shown) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.Write(b)
}

func (s *shown) logged() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// start runs a mirror of a region that has little patience.
func start(t *testing.T, config *rest.Config, namespace string) *shown {
	t.Helper()
	return startWith(t, config, namespace, params())
}

func startWith(t *testing.T, config *rest.Config, namespace string, p lease.Params, before ...func(*mirror.Mirror)) *shown {
	t.Helper()
	client := newClient(t, config)
	s := &shown{client: client, namespace: namespace}
	s.Mirror = mirror.New(mirror.Config{
		Client: client, Namespace: namespace, Params: p, Log: hclog.New(&hclog.LoggerOptions{Output: s}),
	})
	client.Recorder = s.Mirror
	for _, do := range before {
		do(s.Mirror)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	s.stop = func() { cancel(); <-ended }
	t.Cleanup(s.stop)
	return s
}

func newClient(t *testing.T, config *rest.Config) *kube.Client {
	t.Helper()
	client, err := kube.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// active is what stands in an agent that holds the lease, and renewed a while ago.
func active(epoch uint64, ago time.Duration) lease.Decision {
	now := lease.Instant(time.Hour)
	return lease.Decision{Now: now, State: lease.Active, Authority: true, Epoch: epoch, Deadline: now.Add(params().TTL - ago), Holder: "fsn"}
}

// readLease reads the Lease of the group; nil if there is none.
func readLease(client *kube.Client, namespace string) *unstructured.Unstructured {
	o, err := client.Resource(leases).Namespace(namespace).Get(context.Background(), mirror.LeaseName("e2e"), metav1.GetOptions{})
	if err != nil {
		return nil
	}
	return o
}

// holder and transitions are what a Lease shows.
func holder(o *unstructured.Unstructured) string {
	if o == nil {
		return "none"
	}
	text, _, _ := unstructured.NestedString(o.Object, "spec", "holderIdentity")
	return text
}

func transitions(o *unstructured.Unstructured) int64 {
	n, _, _ := unstructured.NestedInt64(o.Object, "spec", "leaseTransitions")
	return n
}

// about lists the Events about objects of a name, the oldest first.
func about(t *testing.T, client *kube.Client, namespace, name string) (all []unstructured.Unstructured) {
	t.Helper()
	list, err := client.Resource(events).Namespace(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list.Items {
		if regarding, _, _ := unstructured.NestedString(e.Object, "regarding", "name"); regarding == name {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b unstructured.Unstructured) int {
		return strings.Compare(text(a, "eventTime"), text(b, "eventTime"))
	})
	return all
}

func text(o unstructured.Unstructured, field string) string {
	s, _, _ := unstructured.NestedString(o.Object, field)
	return s
}

// counted is a count of a mirror.
func counted(t *testing.T, c prometheus.Collector, outcome string) (n float64) {
	t.Helper()
	ch := make(chan prometheus.Metric)
	go func() { c.Collect(ch); close(ch) }()
	for m := range ch {
		var out dto.Metric
		if err := m.Write(&out); err != nil {
			t.Fatal(err)
		}
		if out.Label[0].GetValue() == outcome {
			n += out.Counter.GetValue()
		}
	}
	return n
}

func kubectl(t *testing.T, plane *controlplane.Plane, stdin string, args ...string) string {
	t.Helper()
	program, err := controlplane.Binary("kubectl")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), program, append([]string{"--kubeconfig", plane.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("kubectl %v: %v\n%s\nof:\n%s", args, err, out, stdin)
	}
	return string(out)
}
