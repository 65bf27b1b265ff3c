package cnpg

import (
	"context"
	"time"

	"github.com/openova-io/failoverd/layers/kube"
)

// Watch notices what others make of the Clusters, and publishes what the other regions
// have to know of them.
func (l *Layer) Watch(ctx context.Context, changed func()) {
	l.publisher.Watch(ctx, l.set, changed, l.publishAll)
}

// publishAll publishes what the Clusters are, and reports whether one is to have a token
// soon. It also has those looked at that no longer are what the newest order would make
// them: they follow a region that is not the primary any more.
func (l *Layer) publishAll(ctx context.Context, changed func()) (soon bool) {
	l.publishing.Lock()
	defer l.publishing.Unlock()
	ctx, cancel := context.WithTimeout(ctx, kube.PublishEvery)
	defer cancel()
	list, err := l.set.List(ctx)
	if err != nil {
		return false // the note that stands grows old, and says by its times that it does
	}
	all := make([]cluster, len(list))
	for i, o := range list {
		all[i] = cluster{o}
		soon = soon || roleOf(all[i]) == demoting
		if l.set.Drifted(o) {
			changed()
		}
	}
	l.say(all)
	l.releaseAll(ctx, all)
	if !soon && l.readPositions(ctx, all) {
		l.say(all)
	}
	l.noteBehind(all)
	return soon
}

// say publishes what is known.
func (l *Layer) say(all []cluster) {
	list := make([]said, len(all))
	l.mu.Lock()
	for i, c := range all {
		known := l.known[c.String()]
		list[i] = say(c, known.position, known.at)
	}
	l.mu.Unlock()
	text, err := spell(list)
	if err != nil {
		return // it holds nothing that JSON can't
	}
	l.board.Publish(l.Name(), text)
}

// readPositions asks the first instance of every Cluster, and reports whether any has
// told. Where one does not, what was read before is kept, with its time.
func (l *Layer) readPositions(ctx context.Context, clusters []cluster) bool {
	told := false
	all(len(clusters), func(i int) {
		c := clusters[i]
		pod := c.text("status", "currentPrimary")
		if pod == "" || c.deleted() || c.hibernated() || c.stopped() {
			return
		}
		answer, err := l.instances.ask(ctx, c.GetNamespace(), pod)
		if err != nil {
			return
		}
		at, err := answer.position()
		if err != nil {
			return
		}
		now := seen{at, time.Now(), answer.streamed()}
		last, _ := newest(l.hear(c), ^uint64(0))
		l.mu.Lock()
		defer l.mu.Unlock()
		// One whose data has gone another way begins to stream again and again, and never gets on.
		if before := l.known[c.String()].streamed; before > 0 && now.streamed > before && last.Role == primary {
			l.follows[c.String()] = last.Epoch
		}
		l.known[c.String()], told = now, true
	})
	return told
}
