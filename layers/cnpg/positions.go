package cnpg

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/openova-io/failoverd/layers"
)

// A logbook is what the position of each Cluster was when an order was carried out on it.
type logbook struct {
	mu    sync.Mutex
	order layers.Order
	of    map[string]layers.Position // by namespace/name
}

// note notes the position of a Cluster. What was noted for another order is past.
func (b *logbook) note(order layers.Order, p layers.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.order != order || b.of == nil {
		b.order, b.of = order, map[string]layers.Position{}
	}
	b.of[p.Object] = p
}

// all are the positions, in the order of names.
func (b *logbook) all() (all []layers.Position) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(b.of)) {
		all = append(all, b.of[name])
	}
	return all
}

// Positions says up to where each Cluster's log was here when it was promoted, beside what was last heard of the
// primary before it; or what was last read of it, when it was stopped.
func (l *Layer) Positions(action layers.Action) []layers.Position {
	if action == layers.Fence {
		return l.stopped.all()
	}
	return l.promoted.all()
}

// promotes notes what a promotion rests on.
func (l *Layer) promotes(c cluster, order layers.Order, all []heard, own position, p promotion) {
	if own.timeline == 0 {
		return // it could not be asked, and need not be
	}
	position := layers.Position{Object: c.String(), At: own.received.String(), Whole: p.token != ""}
	if last, ok := newest(all, order.Epoch); ok && needsPosition(c, order, all) {
		position.Before, position.Last = last.region, last.LSN.String()
		position.Silence, position.Lacks = last.silence.Seconds(), lag(own, last)
	}
	l.promoted.note(order, position)
}

// stops notes how far a Cluster that is stopped had come, as was last read.
func (l *Layer) stops(c cluster, order layers.Order) {
	l.mu.Lock()
	known := l.known[c.String()]
	l.mu.Unlock()
	if !known.at.IsZero() {
		l.stopped.note(order, layers.Position{Object: c.String(), At: known.received.String(), Age: time.Since(known.at).Seconds()})
	}
}
