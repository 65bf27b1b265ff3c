package cilium

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
)

// TestHealthKeepsNothingOpen: a probe asks every few seconds for as long as the daemon runs.
func TestHealthKeepsNothingOpen(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "cilium.sock")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	closed := make(chan struct{}, 3)
	agent := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"cilium": {"state": "Ok"}}`)
	}))
	agent.Listener.Close()
	agent.Listener = listener
	agent.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateClosed {
			closed <- struct{}{}
		}
	}
	agent.Start()
	t.Cleanup(agent.Close)
	for range cap(closed) {
		if err := Health(t.Context(), socket); err != nil {
			t.Fatal(err)
		}
		select {
		case <-closed:
		case <-time.After(10 * time.Second):
			t.Fatal("the connection of a look stays open, want it closed")
		}
	}
}
