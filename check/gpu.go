package check

import (
	"context"
	"fmt"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/watch"
)

// GPUs is the source of GPUs that is to be asked.
type GPUs struct {
	Name   string
	Source watch.Source
}

// askGPUs reads the source once.
func (l *live) askGPUs(ctx context.Context) []Finding {
	ctx, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	asked := "GPUs, by " + l.GPUs.Name
	readings, err := l.GPUs.Source.Read(ctx)
	switch {
	case err != nil:
		return []Finding{{Level: Problem, Asked: asked, Got: err.Error()}}
	case len(readings) == 0:
		return []Finding{{Level: Warning, Asked: asked, Got: "it has no GPU: none is watched", Remedy: "set gpu.enabled to false if that is so"}}
	}
	out := []Finding{{Level: OK, Asked: asked, Got: fmt.Sprintf("it reads %d GPUs of node %s", len(readings), readings[0].Node)}}
	for _, r := range readings {
		for _, x := range r.XIDs.Numbers {
			if gpu.ClassOfXID(x) == gpu.XIDFatal {
				out = append(out, Finding{
					Level: Warning, Asked: fmt.Sprintf("%s, GPU %d (%s)", asked, r.Index, r.UUID), Got: fmt.Sprintf("XID %d, which is fatal", x),
					Remedy: "reset the GPU, or replace it, and restart the host engine",
				})
			}
		}
	}
	return out
}
