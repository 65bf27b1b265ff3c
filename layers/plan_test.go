package layers_test

import (
	"reflect"
	"testing"

	"github.com/openova-io/failoverd/layers"
)

func TestPlan(t *testing.T) {
	// As a configuration may have them: two hooks, a route, a database, a policy, another database.
	tiers := []layers.Tier{layers.Custom, layers.External, layers.Data, layers.Internal, layers.Custom, layers.Data}
	for _, tt := range []struct {
		name    string
		action  layers.Action
		planned bool
		tiers   []layers.Tier
		want    []layers.Stage
	}{
		{"activate: inside out, hooks in their order", layers.Activate, false, tiers, []layers.Stage{{2, 5}, {3}, {1}, {0}, {4}}},
		{"planned fence: outside in, hooks in reverse", layers.Fence, true, tiers, []layers.Stage{{4}, {0}, {1}, {3}, {2, 5}}},
		{"emergency: all at once", layers.Fence, false, tiers, []layers.Stage{{0, 1, 2, 3, 4, 5}}},
		{"no layers to activate", layers.Activate, false, nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := layers.Plan(tt.action, tt.planned, tt.tiers); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
