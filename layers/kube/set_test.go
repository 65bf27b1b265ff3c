package kube

import (
	"context"
	"errors"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
)

var order = layers.Order{Group: "rtz", Region: "fsn", Epoch: 7, Reason: "renewal_late"}

// mark is an edit that can be seen.
func mark(o *unstructured.Unstructured) (bool, error) {
	if o.GetAnnotations()["mark"] == "set" {
		return false, nil
	}
	SetAnnotations(o, map[string]string{"mark": "set"})
	return true, nil
}

func isMarked(o *unstructured.Unstructured) bool {
	return o != nil && o.GetAnnotations()["mark"] == "set"
}

// pass is one attempt.
func pass(ctx context.Context, set *Set, o layers.Order) error {
	p, err := set.Begin(ctx, layers.Fence, o, mark)
	if err != nil {
		return err
	}
	return p.Finish(ctx)
}

// left is which objects an error says are left, and why.
func left(t *testing.T, err error) map[string]string {
	t.Helper()
	var u *Unfinished
	if !errors.As(err, &u) {
		t.Fatalf("got %v, want what is left", err)
	}
	out := map[string]string{}
	for _, l := range u.Left {
		out[l.Object] = l.Err.Error()
	}
	return out
}

// value is that of a counter or a gauge.
func value(t *testing.T, m prometheus.Metric) float64 {
	t.Helper()
	var out dto.Metric
	if err := m.Write(&out); err != nil {
		t.Fatal(err)
	}
	return out.Counter.GetValue() + out.Gauge.GetValue()
}

// TestPassFaults has each object fail in its own way: none holds up another, and the next
// attempt finishes.
func TestPassFaults(t *testing.T) {
	s := newServer(t, "shop/calm", "shop/changed", "shop/forbidden", "shop/gone", "shop/gone-later", "shop/limited", "shop/lost", "shop/relabelled")
	theirs := func(o *unstructured.Unstructured) { SetAnnotations(o, map[string]string{"theirs": "kept"}) }
	s.faults["PUT changed"] = changedFirst(theirs)
	s.faults["PUT forbidden"] = refuses(1, http.StatusForbidden, metav1.StatusReasonForbidden, "cannot update")
	s.faults["PUT gone"] = changedFirst(nil)
	s.faults["PUT gone-later"] = changedFirst(theirs)
	s.faults["GET gone-later"] = changedFirst(nil)
	s.faults["PUT relabelled"] = changedFirst(func(o *unstructured.Unstructured) { o.SetLabels(nil) })
	s.faults["PUT limited"] = limited(2, 0)
	s.faults["PUT lost"] = answerLost

	set := NewSet(s.client, widgets, selector, nil)
	failed := left(t, pass(t.Context(), set, order))
	if len(failed) != 2 || !strings.Contains(failed["shop/forbidden"], "cannot update") || failed["shop/lost"] == "" {
		t.Errorf("got %v left, want forbidden and lost", failed)
	}
	for _, name := range []string{"calm", "changed", "limited", "lost"} {
		if !isMarked(s.get("shop", name)) {
			t.Errorf("%s was not written", name)
		}
	}
	if isMarked(s.get("shop", "forbidden")) {
		t.Error("forbidden was written")
	}
	if isMarked(s.get("shop", "relabelled")) {
		t.Error("an object that is not of the set any more was written")
	}
	if got := s.get("shop", "changed").GetAnnotations()["theirs"]; got != "kept" {
		t.Errorf("what others had changed meanwhile: got %q, want it kept", got)
	}
	for outcome, want := range map[string]float64{"ok": 3, "conflict": 3, "error": 2} {
		if got := value(t, s.client.Metrics.writes.WithLabelValues("widgets", outcome)); got != want {
			t.Errorf("writes, %s: got %v, want %v", outcome, got, want)
		}
	}
	if got := value(t, s.client.Metrics.left.WithLabelValues("widgets")); got != 2 {
		t.Errorf("objects left: got %v, want 2", got)
	}
	told := map[string]bool{} // by name: whether it is what it is to be
	for _, e := range s.events {
		if e.Order != order || e.Action != layers.Fence || e.Again {
			t.Errorf("got the event %+v, want one of the order's first attempt", e)
		}
		told[e.Object.Name] = e.Err == nil
	}
	if want := map[string]bool{"calm": true, "changed": true, "forbidden": false, "limited": true, "lost": false}; len(s.events) != 5 || !reflect.DeepEqual(told, want) {
		t.Errorf("got %d events, %v; want %v", len(s.events), told, want)
	}

	s.faults = map[string]fault{}
	s.took()
	if err := pass(t.Context(), set, order); err != nil {
		t.Fatal(err)
	}
	if got := s.took(); len(slices.DeleteFunc(slices.Clone(got), func(r string) bool { return !strings.HasPrefix(r, "PUT") })) != 1 || !slices.Contains(got, "PUT forbidden") {
		t.Errorf("the next attempt: got %v, want a list, and the one write that is missing", got)
	}
}

// TestPassEndsWithItsContext has objects that would take for ever: they are left when the
// time is over, and the rest is written.
func TestPassEndsWithItsContext(t *testing.T) {
	s := newServer(t, "shop/calm", "shop/contested", "shop/hangs", "shop/limited")
	s.faults["PUT contested"] = refuses(0, http.StatusConflict, metav1.StatusReasonConflict, "the object has been modified")
	s.faults["PUT hangs"] = hangs
	s.faults["PUT limited"] = limited(0, 3600)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	failed := left(t, pass(ctx, NewSet(s.client, widgets, selector, nil), order))
	for _, name := range []string{"shop/contested", "shop/hangs", "shop/limited"} {
		if failed[name] == "" {
			t.Errorf("%s is not among what is left: %v", name, failed)
		}
	}
	if len(failed) != 3 || !isMarked(s.get("shop", "calm")) {
		t.Errorf("got %v left, want the three; and calm is written: %v", failed, isMarked(s.get("shop", "calm")))
	}
}

// TestUpkeep: an order that is carried out reads only what others have changed since.
func TestUpkeep(t *testing.T) {
	s := newServer(t, "shop/a", "shop/b", "shop/deleted", "shop/relabelled")
	set := NewSet(s.client, widgets, selector, []string{"shop"})
	if err := pass(t.Context(), set, order); err != nil {
		t.Fatal(err)
	}
	s.events = nil
	undo := func(name string, more func(*unstructured.Unstructured)) {
		s.change(object{"shop", name}, func(o *unstructured.Unstructured) {
			SetAnnotations(o, map[string]string{"mark": ""})
			if more != nil {
				more(o)
			}
		})
		if !set.Drifted(s.get("shop", name)) {
			t.Errorf("%s, undone, is not seen to have drifted", name)
		}
	}
	undo("a", nil)
	undo("deleted", nil)
	undo("relabelled", func(o *unstructured.Unstructured) { o.SetLabels(nil) })
	if set.Drifted(s.get("shop", "b")) {
		t.Error("b, which is as it is to be, is seen to have drifted")
	}
	s.mu.Lock()
	delete(s.stored, object{"shop", "deleted"})
	s.mu.Unlock()
	s.took()
	if err := pass(t.Context(), set, order); err != nil {
		t.Fatal(err)
	}
	if got, want := s.took(), []string{"GET a", "GET deleted", "GET relabelled", "PUT a"}; !slices.Equal(got, want) {
		t.Errorf("got requests %v, want %v", got, want)
	}
	if isMarked(s.get("shop", "relabelled")) {
		t.Error("an object that is not of the set any more was written")
	}
	if got := value(t, s.client.Metrics.drift.WithLabelValues("widgets")); got != 1 {
		t.Errorf("drift: got %v, want 1", got)
	}
	if len(s.events) != 1 || !s.events[0].Again || s.events[0].Object.Name != "a" {
		t.Errorf("got events %+v, want one, that a was put back", s.events)
	}

	// What can't be read is not forgotten: the next attempt looks at all.
	undo("a", nil)
	s.faults["GET a"] = refuses(0, http.StatusForbidden, metav1.StatusReasonForbidden, "cannot get")
	if failed := left(t, pass(t.Context(), set, order)); failed["shop/a"] == "" {
		t.Errorf("got %v left, want a", failed)
	}
	if err := pass(t.Context(), set, order); err != nil || !isMarked(s.get("shop", "a")) {
		t.Errorf("the attempt after that: %v; a is written: %v", err, isMarked(s.get("shop", "a")))
	}

	// A newer order knows nothing of what an older one has done.
	s.took()
	newer := order
	newer.Epoch++
	if err := pass(t.Context(), set, newer); err != nil {
		t.Fatal(err)
	}
	if got, want := s.took(), []string{"LIST shop"}; !slices.Equal(got, want) {
		t.Errorf("a newer order: got requests %v, want %v", got, want)
	}
}

// TestList: all pages of all namespaces, and nothing of others.
func TestList(t *testing.T) {
	s := newServer(t, "shop/a", "shop/b", "shop/c", "bank/a", "bank/b", "other/a")
	s.change(object{"bank", "b"}, func(o *unstructured.Unstructured) { o.SetLabels(map[string]string{"group": "other"}) })
	for _, tt := range []struct {
		namespaces []string
		want       []string
	}{
		{nil, []string{"bank/a", "other/a", "shop/a", "shop/b", "shop/c"}},
		{[]string{"shop", "bank", "empty"}, []string{"bank/a", "shop/a", "shop/b", "shop/c"}},
	} {
		all, err := NewSet(s.client, widgets, selector, tt.namespaces).List(t.Context())
		var got []string
		for _, o := range all {
			got = append(got, objectOf(o).String())
		}
		slices.Sort(got)
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%v: got %v, %v; want %v", tt.namespaces, got, err, tt.want)
		}
	}
	// A list that breaks off midway is none: an object that was not seen would stay as it is.
	s.faults["LIST shop"] = func(s *server, w http.ResponseWriter, r *http.Request, _ int) bool {
		return r.URL.Query().Get("continue") != "" && refuses(0, http.StatusGone, metav1.StatusReasonExpired, "the continue parameter is too old")(s, w, r, 0)
	}
	set := NewSet(s.client, widgets, selector, []string{"shop"})
	if err := pass(t.Context(), set, order); err == nil || !strings.Contains(err.Error(), "too old") || isMarked(s.get("shop", "a")) {
		t.Errorf("a list that breaks off: got %v, and a is written: %v; want the error alone", err, isMarked(s.get("shop", "a")))
	}
}

func TestServed(t *testing.T) {
	s := newServer(t)
	if err := NewSet(s.client, widgets, selector, nil).Served(t.Context()); err != nil {
		t.Error(err)
	}
	absent := widgets
	absent.Resource = "gadgets"
	var missing *MissingKindError
	if err := NewSet(s.client, absent, selector, nil).Served(t.Context()); !errors.As(err, &missing) || missing.Resource != absent {
		t.Errorf("a kind that is not there: got %v, want that it is missing", err)
	}
	// What is not allowed may be there: a start must not end for it.
	s.faults["LIST "] = refuses(0, http.StatusForbidden, metav1.StatusReasonForbidden, "cannot list")
	if err := NewSet(s.client, widgets, selector, nil).Served(t.Context()); err == nil || errors.As(err, &missing) {
		t.Errorf("not allowed: got %v, want that, and not that the kind is missing", err)
	}
}
