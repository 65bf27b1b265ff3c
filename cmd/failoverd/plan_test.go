package main

import (
	"testing"

	"github.com/openova-io/failoverd/agent"
)

// TestLayerNames: a planned hand-over fences in the opposite order of activation.
func TestLayerNames(t *testing.T) {
	s := agent.Status{Layers: []agent.LayerStatus{{Name: "cnpg"}, {Name: "httproute"}, {Name: "edge"}}}
	for fencing, want := range map[bool]string{
		false: "from the inside out: cnpg, httproute, edge",
		true:  "from the outside in: edge, httproute, cnpg",
	} {
		if got := layerNames(s, fencing); got != want {
			t.Errorf("fencing %v: got %q, want %q", fencing, got, want)
		}
	}
}
