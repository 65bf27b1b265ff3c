package endpoint

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/openova-io/failoverd/agent/endpoint"
	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

var cluster = controlplane.Share(1, controlplane.Options{ControllerManager: true})

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

const service = "failoverd-dns"

// A world is a namespace, for a Service.
type world struct {
	t         *testing.T
	plane     *controlplane.Plane
	client    kubernetes.Interface
	namespace string
}

func newWorld(t *testing.T) *world {
	plane := cluster.Planes(t)[0]
	client, err := kubernetes.NewForConfig(plane.Config())
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, plane: plane, client: client, namespace: plane.Namespace(t)}
}

// serve makes the Service.
func (w *world) serve(selector map[string]string) {
	w.t.Helper()
	_, err := w.client.CoreV1().Services(w.namespace).Create(w.t.Context(), &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: service},
		Spec: corev1.ServiceSpec{Selector: selector, Ports: []corev1.ServicePort{
			{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}, {Name: "dns-tcp", Port: 53, Protocol: corev1.ProtocolTCP},
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
}

// instance runs one until the test ends.
func (w *world) instance(address, node string, log *journal) *endpoint.Endpoint {
	w.t.Helper()
	client, err := kube.New(w.plane.Config())
	if err != nil {
		w.t.Fatal(err)
	}
	e := endpoint.New(endpoint.Config{
		Client: client, Namespace: w.namespace, Service: service, Address: netip.MustParseAddr(address), Node: node, Port: 5353,
		Every: 300 * time.Millisecond, Retry: 100 * time.Millisecond, Timeout: 10 * time.Second, Log: hclog.New(&hclog.LoggerOptions{Output: log}),
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); e.Run(ctx) }()
	w.t.Cleanup(func() { cancel(); <-ended })
	return e
}

// await waits until the Service's EndpointSlices are so.
func (w *world) await(what string, is func(all []discoveryv1.EndpointSlice) bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), daemon.Patience)
	defer cancel()
	var all *discoveryv1.EndpointSliceList
	var err error
	daemon.Await(w.t, what, func() bool {
		all, err = w.client.DiscoveryV1().EndpointSlices(w.namespace).List(ctx, metav1.ListOptions{LabelSelector: discoveryv1.LabelServiceName + "=" + service})
		return err == nil && is(all.Items)
	}, func() string { return fmt.Sprintf("%v, %+v", err, all) })
}

// leads is how the Service leads to one pod alone.
func leads(address, node string) func([]discoveryv1.EndpointSlice) bool {
	return func(all []discoveryv1.EndpointSlice) bool {
		if len(all) != 1 || len(all[0].Endpoints) != 1 || len(all[0].Ports) != 2 {
			return false
		}
		e := all[0].Endpoints[0]
		ports := ""
		for _, p := range all[0].Ports {
			ports += fmt.Sprintf("%s %s %d;", *p.Name, *p.Protocol, *p.Port)
		}
		return e.Addresses[0] == address && *e.NodeName == node && *e.Conditions.Ready && ports == "dns UDP 5353;dns-tcp TCP 5353;"
	}
}

var (
	acting    = lease.Decision{State: lease.Active, Term: 1, Confirmed: true}
	cutOff    = lease.Decision{State: lease.Active, Term: 1}
	following = lease.Decision{State: lease.Follower}
)

// TestLeads has the Service lead to the instance that acts, and to no other one.
func TestLeads(t *testing.T) {
	w := newWorld(t)
	w.serve(nil)
	var one, two journal
	first, second := w.instance("10.1.0.1", "node-1", &one), w.instance("10.1.0.2", "node-2", &two)
	first.Show(acting)
	second.Show(following)
	w.await("the Service leads to the first", leads("10.1.0.1", "node-1"))

	slices := w.client.DiscoveryV1().EndpointSlices(w.namespace)
	slice, err := slices.Get(t.Context(), service, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	slice.Endpoints[0].Addresses[0] = "10.1.0.9"
	if _, err := slices.Update(t.Context(), slice, metav1.UpdateOptions{}); err != nil {
		t.Fatal(err)
	}
	w.await("what a person has written is put right", leads("10.1.0.1", "node-1"))

	// It is cut off, and another one acts. The first one leaves that.
	first.Show(cutOff)
	second.Show(acting)
	w.await("the Service leads to the second", leads("10.1.0.2", "node-2"))
	before, err := slices.Get(t.Context(), service, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	first.Show(following)
	if err := slices.Delete(t.Context(), service, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.await("what a person has removed is there again", leads("10.1.0.2", "node-2"))
	w.await("each has told of its two writes", func([]discoveryv1.EndpointSlice) bool {
		return strings.Count(one.String(), "leads here") == 2 && strings.Count(two.String(), "leads here") == 2
	})
	if got := before.OwnerReferences; len(got) != 1 || got[0].Kind != "Service" || got[0].Name != service {
		t.Errorf("the EndpointSlice belongs to %+v", got)
	}

	// It goes with the Service.
	second.Show(following)
	if err := w.client.CoreV1().Services(w.namespace).Delete(t.Context(), service, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.await("nothing is left of it", func(all []discoveryv1.EndpointSlice) bool { return len(all) == 0 })
}

// TestLeftAlone: a Service that selects pods, and an EndpointSlice that is someone else's. Each is told of once.
func TestLeftAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		selector map[string]string
		theirs   bool
		says     string
	}{
		"a Service that selects pods":   {map[string]string{"app": "x"}, false, "selects pods"},
		"an EndpointSlice of another's": {nil, true, "is not failoverd's"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.serve(tt.selector)
			slices := w.client.DiscoveryV1().EndpointSlices(w.namespace)
			if tt.theirs {
				_, err := slices.Create(t.Context(), &discoveryv1.EndpointSlice{
					ObjectMeta: metav1.ObjectMeta{Name: service, Labels: map[string]string{discoveryv1.LabelServiceName: service}}, AddressType: discoveryv1.AddressTypeIPv4,
				}, metav1.CreateOptions{})
				if err != nil {
					t.Fatal(err)
				}
			}
			var log journal
			w.instance("10.1.0.1", "node-1", &log).Show(acting)
			w.await("it is told of", func([]discoveryv1.EndpointSlice) bool { return strings.Contains(log.String(), tt.says) })
			if got := strings.Count(log.String(), "\n"); got != 1 {
				t.Errorf("it is told of in %d lines, want 1:\n%s", got, log.String())
			}
			slice, err := slices.Get(t.Context(), service, metav1.GetOptions{})
			switch {
			case tt.theirs && (err != nil || len(slice.Endpoints) > 0):
				t.Errorf("the EndpointSlice of another's is %+v, %v", slice, err)
			case !tt.theirs && !apierrors.IsNotFound(err):
				t.Errorf("there is an EndpointSlice beside those of the cluster: %+v, %v", slice, err)
			}
		})
	}
}

// A journal is a log that is read while it is written.
type journal struct {
	mu   sync.Mutex
	text strings.Builder
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}
