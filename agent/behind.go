package agent

import (
	"context"
	"slices"
	"time"

	"github.com/openova-io/failoverd/layers"
)

// behindInterval is how often the layers are asked what is behind.
const behindInterval = 2 * time.Second

// behind is what the layers say is behind.
type behind []string

// followLayers starts a goroutine that asks the layers whose data follows another region's, if
// there are any, and tells what has changed.
func (a *Agent) followLayers(calls context.Context) {
	var followers []layers.Follower
	for _, l := range a.cfg.Layers {
		if f, ok := l.(layers.Follower); ok {
			followers = append(followers, f)
		}
	}
	if len(followers) == 0 {
		return
	}
	a.calls.Go(func() {
		tick := time.NewTicker(behindInterval)
		defer tick.Stop()
		for last := (behind)(nil); ; {
			select {
			case <-tick.C:
			case <-calls.Done():
				return
			}
			var all behind
			for _, f := range followers {
				for _, what := range f.Behind() {
					all = append(all, f.Name()+" "+what)
				}
			}
			if !slices.Equal(all, last) {
				a.tell(calls, all)
				last = all
			}
		}
	})
}
