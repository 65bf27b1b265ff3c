package durableobject_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/openova-io/failoverd/e2e/durableobject"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/lease/witness"
)

// A watcher sees what the client wrote, and what became of it.
func TestLink(t *testing.T) {
	srv := durableobject.Start(t, durableobject.Options{})
	link := srv.Link(t)
	var got []string // requests come one after the other here
	link.Watch(func(r kvserver.Request) func(int) {
		return func(status int) { got = append(got, fmt.Sprintf("%s %s %q: %d", r.Method, r.Key, r.Value, status)) }
	})
	s := open(t, &durableobject.Server{URL: link.URL}, "g")
	if _, err := s.Get(t.Context(), "a/b c"); !errors.Is(err, witness.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	if err := s.Put(t.Context(), "a/b c", []byte("a\nvalue")); err != nil {
		t.Errorf("Put = %v", err)
	}
	if value, err := s.Get(t.Context(), "a/b c"); err != nil || string(value) != "a\nvalue" {
		t.Errorf("Get = %q, %v", value, err)
	}
	want := []string{`GET a/b c "": 404`, `PUT a/b c "a\nvalue": 200`, `GET a/b c "": 200`}
	if !slices.Equal(got, want) {
		t.Errorf("the watcher saw %q, want %q", got, want)
	}

	if err := srv.Process().Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "a/b c", []byte("x")); witness.ClassOf(err) != witness.Unreachable {
		t.Errorf("Put, with the Worker gone = %v, want class %s", err, witness.Unreachable)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the watcher saw %q, want nothing of what was not answered", got)
	}
}
