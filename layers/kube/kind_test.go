package kube

import (
	"slices"
	"testing"
)

// TestFind asks for no version that is older than the newest that is there, and for nothing that is known.
func TestFind(t *testing.T) {
	s := newServer(t)
	for _, tt := range []struct {
		versions []string
		want     []string // requests, for the first time; "GET apis" is one for another version than v1
	}{
		{[]string{"v1", "v1beta1", "v1alpha1"}, []string{"LIST "}},
		{[]string{"v2", "v1"}, []string{"GET apis", "LIST "}},
	} {
		kind := NewKind(s.client, widgets.GroupResource(), tt.versions, selector, nil)
		set, err := kind.Find(t.Context())
		if got := s.took(); err != nil || set.resource != widgets || !slices.Equal(got, tt.want) {
			t.Fatalf("%v: got %v by %q; want its set by %q", tt.versions, err, got, tt.want)
		}
		again, err := kind.Find(t.Context())
		if got := s.took(); err != nil || again != set || len(got) > 0 {
			t.Errorf("%v, again: got %v by %q; want the same set, and no request", tt.versions, err, got)
		}
	}
	if set, err := NewKind(s.client, widgets.GroupResource(), []string{"v3", "v2"}, selector, nil).Find(t.Context()); set != nil || !IsMissing(err) {
		t.Errorf("a kind that is not there: got %v, %v", set, err)
	}
}
