package check_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// A finder is a layer that has found something, or could not look.
type finder struct {
	layers.Layer
	state    layers.State
	observed error
	found    []layers.Finding
	err      error
}

func (finder) Name() string                                         { return "cnpg" }
func (finder) Permissions() []kube.Permission                       { return nil }
func (f finder) Observe(context.Context) (layers.State, error)      { return f.state, f.observed }
func (f finder) Findings(context.Context) ([]layers.Finding, error) { return f.found, f.err }

// TestLayerFindings has what a layer finds among what the check finds.
func TestLayerFindings(t *testing.T) {
	found := []layers.Finding{
		{Problem: true, Object: "shop/db", Got: "rebuild required", Remedy: "create it anew"},
		{Object: "shop/db", Got: "it is hibernated"},
	}
	for _, tt := range []struct {
		layer finder
		want  []string
	}{
		{finder{state: layers.Unknown, found: found}, []string{"problem  layer cnpg, shop/db: rebuild required; create it anew", "warning  layer cnpg, shop/db: it is hibernated"}},
		{finder{state: layers.Unknown, err: errors.New("list clusters: gone")}, []string{"problem  layer cnpg: list clusters: gone"}},
		{finder{state: layers.Inactive}, []string{"ok       layer cnpg: it is inactive"}},
		{finder{state: layers.Unknown}, nil},
		{finder{observed: errors.New("no answer")}, []string{"problem  layer cnpg: no answer"}},
	} {
		w := newWorld(t)
		w.layers = []layers.Layer{tt.layer}
		got := slices.DeleteFunc(w.check(), func(line string) bool {
			return !strings.Contains(line, "layer cnpg") || strings.Contains(line, "it is allowed what it needs")
		})
		if !slices.Equal(got, tt.want) {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
