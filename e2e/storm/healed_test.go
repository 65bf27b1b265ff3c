package storm

import (
	"context"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/e2e/netns"
	"github.com/openova-io/failoverd/layers/kube"
)

// cut is of such a length that TCP, which tries again after twice as long each time, has just done so: about 15 s after the
// first time, and next 30 s after it.
const cut = 18 * time.Second

// TestHealed cuts the way to an API server. When it is whole again, what is asked comes by a new connection at once: TCP
// would go on with the old one only after as long again.
func TestHealed(t *testing.T) {
	host, err := netns.Join("api", netip.MustParseAddr("10.92.9.1"), routerAddress)
	must(t, err)
	t.Cleanup(func() { must(t, host.Leave()) })
	var listener net.Listener
	must(t, netns.Inside(host.Name, func() (err error) {
		listener, err = net.Listen("tcp", host.Address.String()+":0")
		return err
	}))
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	must(t, server.Listener.Close())
	var connections atomic.Int32
	server.Listener, server.EnableHTTP2 = listener, true
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	client, err := kube.New(&rest.Config{Host: server.URL, TLSClientConfig: rest.TLSClientConfig{CAData: ca, ServerName: "example.com"}})
	must(t, err)
	leases := client.Resource(schema.GroupVersionResource{Group: "coordination.k8s.io", Version: "v1", Resource: "leases"}).Namespace("shop")
	ask := func() error {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := leases.Get(ctx, "record", metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return nil // it has answered
		}
		return errors.Join(err, ctx.Err())
	}
	answered := func() {
		t.Helper()
		for begun := now(); ask() != nil; {
			if now().Sub(begun) > limit {
				t.Fatal("it does not answer")
			}
		}
	}
	answered()
	before := connections.Load()

	nft(t, host.Name, "table ip cut { chain in { type filter hook input priority 0; policy drop; }; }")
	for begun := now(); now().Sub(begun) < cut; {
		if ask() == nil {
			t.Fatal("it answers, cut off")
		}
	}
	nft(t, host.Name, "delete table ip cut")
	healed := now()
	answered()
	if connections.Load() == before {
		t.Errorf("the answer came by the connection that was there, %v after the network was whole again; want a new one", now().Sub(healed))
	}
	t.Logf("after a cut of %v it answers %.2f s after the network is whole again", cut, now().Sub(healed).Seconds())
}
