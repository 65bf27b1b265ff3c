package bench

import (
	"context"
	"sync"
	"time"

	"github.com/openova-io/failoverd/lease"
)

const (
	// pollEvery is how often each node's health is asked for. What was missed for so long is not seen.
	pollEvery = 50 * time.Millisecond
	// pollPatience is how long an answer may take: a load balancer's prober waits longer, and takes a node that says nothing for what
	// it was. This one takes it to be unhealthy at once, which is to the node's favour.
	pollPatience = 250 * time.Millisecond
)

// A watch asks nodes again and again whether they are healthy.
type watch struct {
	stop context.CancelFunc
	done sync.WaitGroup

	mu      sync.Mutex
	healthy [][]Span // of each node: from a yes to the last yes after it without a no in between
}

// startWatch asks until it is stopped.
func startWatch(ctx context.Context, nodes []Node, now func() lease.Instant) *watch {
	ctx, stop := context.WithCancel(ctx)
	w := &watch{stop: stop, healthy: make([][]Span, len(nodes))}
	for i, node := range nodes {
		w.done.Go(func() { w.follow(ctx, i, node, now) })
	}
	return w
}

func (w *watch) follow(ctx context.Context, i int, node Node, now func() lease.Instant) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	was := false
	for {
		asked := now() // an answer tells of no earlier time, and perhaps of none later
		once, cancel := context.WithTimeout(ctx, pollPatience)
		is := node.Healthy(once)
		cancel()
		if is {
			w.mu.Lock()
			if was {
				spans := w.healthy[i]
				spans[len(spans)-1].To = asked
			} else {
				w.healthy[i] = append(w.healthy[i], Span{asked, asked})
			}
			w.mu.Unlock()
		}
		was = is
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// end stops asking, and returns when each node was healthy.
func (w *watch) end() [][]Span {
	w.stop()
	w.done.Wait()
	return w.healthy
}
