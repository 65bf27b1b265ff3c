package probe

import (
	"context"
	"fmt"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/watch"
	"github.com/openova-io/failoverd/health"
)

// GPUsHealthy wants a share of the GPUs that are watched to be healthy. Those of which nothing is known may be either: where
// they decide, the probe does not know.
func GPUsHealthy(found func() watch.Found, share float64) func(context.Context) (health.Verdict, string) {
	return func(context.Context) (health.Verdict, string) {
		f := found()
		in := map[gpu.Condition]int{}
		for _, s := range f.States {
			in[s.Condition]++
		}
		detail := fmt.Sprintf("of %d GPUs %d are healthy, %d unhealthy, and %d not known", len(f.States), in[gpu.Healthy], in[gpu.Unhealthy], in[gpu.Unknown])
		if f.Trouble != "" {
			detail += " (" + f.Trouble + ")"
		}
		want := share * float64(len(f.States))
		switch {
		case len(f.States) == 0:
			return health.Unknown, detail
		case float64(in[gpu.Healthy]+in[gpu.Unknown]) < want:
			return health.Ill, detail
		case float64(in[gpu.Healthy]) < want:
			return health.Unknown, detail
		}
		return health.Well, detail
	}
}
