package kvserver_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/openova-io/failoverd/e2e/kvserver"
)

// testWatch shows that a watcher sees what the client wrote, as the client wrote it, and that it can hold the answer up.
func testWatch(t *testing.T, srv *kvserver.Server) {
	link := srv.Link("watched")
	s := newStore(srv, link.BaseURL)
	var got []string // requests come one after the other here
	link.Watch(func(r kvserver.Request) func(int) {
		return func(status int) { got = append(got, fmt.Sprintf("%s %s %q: %d", r.Method, r.Key, r.Value, status)) }
	})
	if err := s.put(t.Context(), "a/b c", "a\nvalue"); err != nil {
		t.Errorf("put: %v", err)
	}
	if _, err := s.get(t.Context(), "a/b c"); err != nil {
		t.Errorf("get: %v", err)
	}
	if err := s.delete(t.Context(), "a/b c"); err != nil {
		t.Errorf("delete: %v", err)
	}
	link.Watch(nil)
	if _, err := s.get(t.Context(), "a/b c"); err == nil {
		t.Error("get of a deleted key: no error")
	}
	want := []string{`PUT a/b c "a\nvalue": 200`, `GET a/b c "": 200`, `DELETE a/b c "": 200`}
	if !slices.Equal(got, want) {
		t.Errorf("the watcher saw %q, want %q", got, want)
	}
}
