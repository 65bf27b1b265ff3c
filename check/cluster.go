package check

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// clusterPatience is how long the API server may take to answer for one layer.
const clusterPatience = 10 * time.Second

// askLayer asks a layer whether its surroundings are as it needs them, and the API
// server whether it allows what the layer does.
func (l *live) askLayer(ctx context.Context, layer layers.Layer) []Finding {
	ctx, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	asked := "layer " + layer.Name()
	if c, ok := layer.(layers.Checker); ok {
		if err := c.Check(ctx); err != nil {
			return []Finding{{Level: Problem, Asked: asked, Got: err.Error()}}
		}
	}
	p, ok := layer.(kube.Permitted)
	if !ok {
		return state(ctx, layer)
	}
	permissions := kube.Merge(p.Permissions())
	out, ok := l.askPermissions(ctx, asked, permissions)
	if !ok {
		return out
	}
	if len(out) == 0 {
		out = append(out, Finding{Level: OK, Asked: asked, Got: fmt.Sprintf("its kinds of objects are there, and it is allowed what it needs (%d kinds)", len(permissions))})
	}
	return append(append(out, state(ctx, layer)...), findings(ctx, layer)...)
}

// state is what a layer is, where that can be told.
func state(ctx context.Context, layer layers.Layer) []Finding {
	asked := "layer " + layer.Name()
	switch is, err := layer.Observe(ctx); {
	case err != nil:
		return []Finding{{Level: Problem, Asked: asked, Got: err.Error()}}
	case is == layers.Unknown:
		return nil
	default:
		return []Finding{{Level: OK, Asked: asked, Got: fmt.Sprintf("it is %s", is)}}
	}
}

// A Need is something that the daemon does in the cluster beside its layers. Failover works
// without it.
type Need struct {
	Asked       string // as findings name it
	Permissions []kube.Permission
	Check       func(context.Context) error // whether the surroundings are as it needs them; nil: nothing can be asked
}

// askNeed asks whether a need is met. What is missing is no problem of the failover.
func (l *live) askNeed(ctx context.Context, need Need) []Finding {
	ctx, cancel := context.WithTimeout(ctx, clusterPatience)
	defer cancel()
	out, ok := l.askPermissions(ctx, need.Asked, kube.Merge(need.Permissions))
	if ok && len(out) == 0 && need.Check != nil {
		if err := need.Check(ctx); err != nil {
			out = []Finding{{Asked: need.Asked, Got: err.Error()}}
		}
	}
	for i := range out {
		out[i].Level = Warning
	}
	if len(out) == 0 {
		out = []Finding{{Level: OK, Asked: need.Asked, Got: "it is allowed"}}
	}
	return out
}

// askPermissions asks the API server for each permission that is not granted; ok is false
// if it does not answer.
func (l *live) askPermissions(ctx context.Context, asked string, permissions []kube.Permission) (out []Finding, ok bool) {
	for _, needed := range permissions {
		what := needed.Resource
		if needed.Group != "" {
			what += "." + needed.Group
		}
		denied, err := l.Cluster.Denied(ctx, needed)
		switch {
		case err != nil:
			return []Finding{{Level: Problem, Asked: asked, Got: err.Error()}}, false
		case len(denied) > 0:
			out = append(out, Finding{
				Level: Problem, Asked: asked + ", permissions", Got: fmt.Sprintf("%s: %s is not allowed", what, strings.Join(denied, ", ")),
				Remedy: "apply what failoverd rbac prints",
			})
		}
	}
	return out, true
}

// findings are what a layer finds of its objects.
func findings(ctx context.Context, layer layers.Layer) (out []Finding) {
	finder, ok := layer.(layers.Finder)
	if !ok {
		return nil
	}
	asked := "layer " + layer.Name()
	found, err := finder.Findings(ctx)
	if err != nil {
		return []Finding{{Level: Problem, Asked: asked, Got: err.Error()}}
	}
	for _, f := range found {
		level := Warning
		if f.Problem {
			level = Problem
		}
		out = append(out, Finding{Level: level, Asked: asked + ", " + f.Object, Got: f.Got, Remedy: f.Remedy})
	}
	return out
}
