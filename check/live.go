package check

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/notify"
	"github.com/openova-io/failoverd/quorum/client"
)

// Config is what is asked, and what is expected of it.
type Config struct {
	Params    lease.Params      // of this region
	Witnesses witness.Several   // one, or those of Params.Witnesses
	Least     []time.Duration   // that the staleness of each may be; nil: 0
	RoundTrip time.Duration     // of the witness, that the bounds assume
	Quorum    *client.Config    // nil: there is none
	Window    time.Duration     // by how much the wall clocks of two regions may differ
	Layers    []layers.Layer    // of this region
	Cluster   *kube.Client      // that they act on; nil if none needs one
	Needs     []Need            // what else the daemon does in the cluster
	GPUs      *GPUs             // nil if none is watched
	Receivers []notify.Receiver // of notifications

	// Waiting is told what is still waited for, whenever that changes, one call at a time. It may be
	// nil.
	Waiting func(what []string)
}

// live is one run of Live.
type live struct {
	Config

	mu      sync.Mutex
	waiting []string
}

// Live asks everything at once, and returns what it found, in a fixed order. It ends soon after ctx.
func Live(ctx context.Context, cfg Config) []Finding {
	l := &live{Config: cfg}
	var byQuorum, byGPUs []Finding
	byWitness := make([][]Finding, len(cfg.Witnesses))
	byLayer, byNeed, byReceiver := make([][]Finding, len(cfg.Layers)), make([][]Finding, len(cfg.Needs)), make([][]Finding, len(cfg.Receivers))
	var all sync.WaitGroup
	for i, w := range cfg.Witnesses {
		all.Go(func() {
			l.during("the witness"+l.ofWitness(i), func() { byWitness[i] = l.askWitness(ctx, w, l.ofWitness(i), l.staleness(i)) })
		})
	}
	if cfg.Quorum != nil {
		all.Go(func() { byQuorum = l.askQuorum(ctx) })
	}
	for i, layer := range cfg.Layers {
		all.Go(func() { l.during("layer "+layer.Name(), func() { byLayer[i] = l.askLayer(ctx, layer) }) })
	}
	for i, need := range cfg.Needs {
		all.Go(func() { l.during(need.Asked, func() { byNeed[i] = l.askNeed(ctx, need) }) })
	}
	for i, r := range cfg.Receivers {
		all.Go(func() { l.during(r.Name(), func() { byReceiver[i] = l.askReceiver(ctx, r) }) })
	}
	if cfg.GPUs != nil {
		all.Go(func() { l.during("the GPUs", func() { byGPUs = l.askGPUs(ctx) }) })
	}
	all.Wait()
	return slices.Concat(slices.Concat(byWitness...), byQuorum, slices.Concat(byLayer...), slices.Concat(byNeed...), slices.Concat(byReceiver...), byGPUs)
}

// askQuorum asks all resolvers, and all regions through them.
func (l *live) askQuorum(ctx context.Context) []Finding {
	resolvers := make([]resolver, len(l.Quorum.Resolvers))
	regions := make([]region, len(l.Params.Members))
	var all sync.WaitGroup
	for i, address := range l.Quorum.Resolvers {
		all.Go(func() { l.during(address, func() { resolvers[i] = l.askResolver(ctx, address) }) })
	}
	for j, name := range l.Params.Members {
		all.Go(func() { l.during(string(name), func() { regions[j] = l.askRegion(ctx, name) }) })
	}
	all.Wait()
	out := l.resolverFindings(resolvers)
	if cutOff(resolvers) {
		return append(out, Finding{
			Level: Problem, Asked: "all resolvers",
			Got:    "none answers anything, not even for the root: this host has no way out, so nothing is known of the regions",
			Remedy: "let UDP and TCP to port 53 of quorum.resolvers through, and their answers",
		})
	}
	for _, r := range regions {
		for i := range r.ways {
			if !resolvers[i].usable() {
				r.ways[i].leads.fault = fault{"nothing that is of use, as for every other name", "see this resolver above"}
			}
		}
		out = append(out, l.regionFindings(r)...)
	}
	return append(out, l.authority(ctx, regions))
}

// during does something that is waited for.
func (l *live) during(what string, do func()) {
	l.tell(func() { l.waiting = append(l.waiting, what) })
	do()
	l.tell(func() {
		i := slices.Index(l.waiting, what)
		l.waiting = slices.Delete(l.waiting, i, i+1)
	})
}

func (l *live) tell(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
	if l.Waiting != nil {
		l.Waiting(slices.DeleteFunc(slices.Clone(l.waiting), func(what string) bool { return what == "" }))
	}
}
