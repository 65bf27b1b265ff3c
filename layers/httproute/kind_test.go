package httproute

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
)

const tcp = `
apiVersion: gateway.networking.k8s.io/v1alpha2
kind: TCPRoute
metadata: {name: tcp, namespace: shop}
spec:
  rules:
  - backendRefs: [{name: tcp, port: 9000}]
`

// isFenced reports whether no route of a kind leads anywhere; there is one at least.
func (s *server) isFenced(kind string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.stored[kind+"/shop/tcp"]
	return o != nil && isFence(backendsOf(rulesOf(o)[0]))
}

const (
	older = group + "/v1alpha2/tcproutes"
	newer = group + "/v1/tcproutes"
)

// TestKindComes has the cluster get a kind of routes when orders have been carried out without it.
func TestKindComes(t *testing.T) {
	s, layer := newServer(t, Config{}, parse(t, shop))
	if err := layer.Fence(t.Context(), order(1)); err != nil {
		t.Fatal(err)
	}
	s.serves(older, parse(t, tcp))
	if is, err := layer.Observe(t.Context()); is == layers.Inactive || err != nil {
		t.Errorf("with a TCPRoute that leads on: observed %s, %v", is, err)
	}
	if err := layer.Fence(t.Context(), order(2)); err != nil || !s.isFenced(older) {
		t.Errorf("the next fence: %v; its routes are fenced: %v", err, s.isFenced(older))
	}
}

// TestVersionGoes has the CRD serve a kind in another version, or not any more.
func TestVersionGoes(t *testing.T) {
	s, layer := newServer(t, Config{}, parse(t, shop))
	s.serves(older, parse(t, tcp))
	if err := layer.Activate(t.Context(), order(1)); err != nil {
		t.Fatal(err)
	}
	s.serves(newer)
	if err := layer.Fence(t.Context(), order(1)); err == nil {
		t.Error("the fence in whose midst it went: got nil")
	}
	if err := layer.Fence(t.Context(), order(1)); err != nil || !s.isFenced(newer) {
		t.Errorf("the attempt after that: %v; its routes are fenced: %v", err, s.isFenced(newer))
	}
	s.mu.Lock()
	s.kinds = s.kinds[:len(s.kinds)-1]
	s.mu.Unlock()
	if err := layer.Activate(t.Context(), order(2)); err == nil {
		t.Error("the activation in whose midst its CRD went: got nil")
	}
	if err := layer.Activate(t.Context(), order(2)); err != nil {
		t.Errorf("the attempt after that: %v", err)
	}
}

// TestKindComesBeforeWatch has the cluster get a kind just after an order was carried out, when its watch has not begun.
func TestKindComesBeforeWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, layer := newServer(t, Config{}, parse(t, shop))
		if err := layer.Fence(t.Context(), order(1)); err != nil {
			t.Fatal(err)
		}
		s.serves(older, parse(t, tcp))
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		defer cancel()
		noticed := make(chan struct{}, 100)
		layer.Watch(ctx, func() { noticed <- struct{}{} })
		if len(noticed) == 0 {
			t.Error("it is not noticed")
		}
	})
}

// TestWatchFindsKind: while an order stands, a kind that comes, or another version of one, is noticed.
func TestWatchFindsKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, layer := newServer(t, Config{}, parse(t, shop))
		if err := layer.Fence(t.Context(), order(1)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		noticed, ended := make(chan struct{}, 100), make(chan struct{})
		go func() {
			defer close(ended)
			layer.Watch(ctx, func() { noticed <- struct{}{} })
		}()
		for _, kind := range []string{older, newer} {
			time.Sleep(10 * time.Minute)
			synctest.Wait()
			if len(noticed) > 0 {
				t.Errorf("nothing has come: noticed %d times", len(noticed))
			}
			var objects []*unstructured.Unstructured
			if kind == older {
				objects = append(objects, parse(t, tcp))
			}
			s.serves(kind, objects...)
			time.Sleep(2 * time.Minute)
			synctest.Wait()
			if len(noticed) == 0 {
				t.Errorf("%s has come, and is not noticed", kind)
			}
			if err := layer.Fence(t.Context(), order(1)); err != nil || !s.isFenced(kind) {
				t.Errorf("%s: %v; fenced: %v", kind, err, s.isFenced(kind))
			}
			for len(noticed) > 0 {
				<-noticed
			}
		}
		cancel()
		<-ended
	})
}
