package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
)

// A fakeAgent answers on a control socket as a test has it: a is active, and b would take over.
type fakeAgent struct {
	obey  func(verb string, s *agent.Status) // what a command makes of the status; nil: nothing
	asked func(commands int)                 // is called before each answer to who asks for the status

	mu       sync.Mutex
	status   agent.Status
	commands int
	reports  []audit.Drill
}

// startFakeAgent starts one, and returns it with the path of its configuration.
func startFakeAgent(t *testing.T) (*fakeAgent, string) {
	t.Helper()
	dir, path := setUp(t)
	f := &fakeAgent{status: agent.Status{
		Group: "g", Region: "a", State: lease.Active, Epoch: 7, Authority: true, Witness: agent.WitnessStatus{Up: true},
		Peers: []agent.PeerStatus{{Region: "b", Known: true, Quorum: &agent.PeerQuorum{Reached: true, Willing: true, State: lease.Standby}}},
	}}
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.asked != nil {
			f.asked(f.commands)
		}
		_ = json.NewEncoder(w).Encode(f.status)
	})
	mux.HandleFunc("POST "+pathCommand, func(w http.ResponseWriter, r *http.Request) {
		var o order
		if err := decode(w, r, &o); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if o.Check {
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.commands++
		if f.obey != nil {
			f.obey(o.Verb, &f.status)
		}
	})
	mux.HandleFunc("POST "+pathDrill, func(w http.ResponseWriter, r *http.Request) {
		var report audit.Drill
		if err := decode(w, r, &report); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		f.reports = append(f.reports, report)
	})
	server := httptest.NewUnstartedServer(mux)
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	return f, path
}

// handOver obeys the commands of a drill at once: b is active after the first, and a again after the second.
func handOver(verb string, s *agent.Status) {
	switch verb {
	case agent.SwitchOver:
		s.State, s.Authority = lease.Standby, false
		s.Peers = []agent.PeerStatus{{Region: "b", Known: true, Quorum: &agent.PeerQuorum{Reached: true, Authority: true, Epoch: 8, State: lease.Active}}}
	case agent.Recall:
		s.State, s.Authority, s.Epoch = lease.Active, true, 9
	}
}
