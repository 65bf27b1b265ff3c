package demo

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestDoubleAnswers shows that the client would see two active regions, and that the report says so.
func TestDoubleAnswers(t *testing.T) {
	gate := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer gate.Close()
	var regions []*region
	for _, name := range Params().Members {
		s, err := newService(name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		s.gate.Store(gate.URL)
		regions = append(regions, &region{name: name, service: s})
	}
	var report Report
	for i, active := range [][]uint64{{0, 0, 0}, {0, 7, 0}, {6, 7, 0}, {6, 7, 8}} {
		for j, epoch := range active {
			regions[j].service.epoch.Store(epoch)
		}
		answered := askAll(t.Context(), http.DefaultClient, regions)
		if len(answered) != i {
			t.Errorf("epochs %v: %v answered, want %d regions", active, answered, i)
		}
		report.count(sample{answered: answered})
	}
	if report.None != 1 || report.One != 1 || report.Two != 2 {
		t.Errorf("counted none %d, one %d, two %d, want 1, 1, 2", report.None, report.One, report.Two)
	}
	if err := report.Err(); err == nil || !strings.Contains(err.Error(), "2 times of 4") {
		t.Errorf("got %v, want that two regions answered 2 times of 4", err)
	}
}

// TestGate shows that an active layer alone does not make a service answer.
func TestGate(t *testing.T) {
	status := http.StatusServiceUnavailable
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	s, err := newService("fsn")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.gate.Store(gate.URL)
	s.epoch.Store(3)
	if got := askOne(t.Context(), http.DefaultClient, s.url); got != 0 {
		t.Errorf("it answers for epoch %d though its gate is shut", got)
	}
	status = http.StatusOK
	if got := askOne(t.Context(), http.DefaultClient, s.url); got != 3 {
		t.Errorf("it answers for epoch %d, want 3", got)
	}
	gate.Close()
	if got := askOne(t.Context(), http.DefaultClient, s.url); got != 0 {
		t.Errorf("it answers for epoch %d though its agent is gone", got)
	}
}
