package demo

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// gateTimeout is how long the service waits for the dead-man gate. The gate shuts fence_timeout
// before authority ends, whatever state the agent is in; so a service that goes by an answer of
// this age at most, with fence_timeout longer than that, never answers after its deadline.
const gateTimeout = 100 * time.Millisecond

// A service is what the region is for. It answers while its layer is active and the agent
// says that it still may: a frozen agent can't fence it, and that is what the dead-man
// gate is for. It asks for each request, which leaves no probe to grow old; in production the prober
// of a load balancer asks, and its interval and timeout together must be below fence_timeout.
type service struct {
	name   lease.Region
	url    string
	epoch  atomic.Uint64 // that the layer is active for; 0: it is fenced
	gate   atomic.Value  // string: where to ask
	server *http.Server
	client *http.Client
}

func newService(name lease.Region) (*service, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the service of %s: %w", name, err)
	}
	s := &service{name: name, url: "http://" + listener.Addr().String(), client: &http.Client{}}
	s.gate.Store("")
	s.server = &http.Server{Handler: s, ReadHeaderTimeout: time.Second}
	go s.server.Serve(listener)
	return s, nil
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	epoch := s.epoch.Load()
	if epoch == 0 || !s.open(r.Context()) {
		http.Error(w, fmt.Sprintf("%s is not active", s.name), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintf(w, "%d\n", epoch)
}

// open asks the dead-man gate. No answer is a no.
func (s *service) open(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, gateTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.gate.Load().(string), nil)
	if err != nil {
		return false
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (s *service) fenced() bool { return s.epoch.Load() == 0 }

// awaitGate returns when the gate is open.
func (s *service) awaitGate(ctx context.Context) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !s.open(ctx) {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("the agent of %s did not go on with its authority: %w", s.name, context.Cause(ctx))
		}
	}
	return nil
}

func (s *service) close() {
	s.server.Close()
	s.client.CloseIdleConnections()
}
