package httproute

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/layers/httproute"
)

// TestGatewayDelay has a gateway that goes on as before for an hour: the routes are fenced at once, but the fence is not done.
func TestGatewayDelay(t *testing.T) {
	plane := region.Planes(t)[0]
	namespace := plane.Namespace(t)
	_, client := newLayer(t, plane.Config(), namespace)
	create(t, client, namespace, 3)
	layer := httproute.New(client, httproute.Config{Selector: selector, Namespaces: []string{namespace}, GatewayDelay: time.Hour})

	attempt := func() (ended chan error, cancel func()) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		ended = make(chan error, 1)
		go func() { ended <- layer.Fence(ctx, order(1)) }()
		return ended, cancel
	}
	ended, cancel := attempt()
	for counted(t, client, "ok") < 3 {
		select {
		case err := <-ended:
			t.Fatalf("the fence ended (%v) before the gateway can have seen it", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "gateway_delay") {
		t.Errorf("called off: got %v, want that it waits for the gateway", err)
	}
	ended, cancel = attempt()
	cancel()
	if err := <-ended; err == nil || !strings.Contains(err.Error(), "gateway_delay") {
		t.Errorf("a second attempt, with nothing to write: got %v, want that it waits for the gateway", err)
	}
	if err := layer.Activate(t.Context(), order(2)); err != nil {
		t.Errorf("activation waits for no gateway: got %v", err)
	}
}
