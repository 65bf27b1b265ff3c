package applier_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// tiered is a layer of a tier.
func (w *world) tiered(name string, tier layers.Tier, activate, fence behaviour) *layer {
	l := w.layer(name, activate, fence)
	l.tier = tier
	return l
}

func TestPlannedFenceIsOutsideIn(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(
			w.tiered("db", layers.Data, instantly, takes(time.Second)), w.tiered("mirror", layers.Data, instantly, takes(2*time.Second)),
			w.tiered("edge", layers.External, instantly, takes(time.Second)))
		a.Fence(lease.Fence{ID: 1, Deadline: sec(10), Planned: true})
		w.until(sec(5))
		a.Close()
		w.want(`
			1s edge is inactive
			1s edge 1 fence succeeded after 1s
			2s db is inactive
			2s db 1 fence succeeded after 1s
			3s mirror is inactive
			3s mirror 1 fence succeeded after 2s
			3s done 1 fence`)
	})
}

// A layer that does not fence uses up its share of the time, and no more: what can be
// fenced is by the deadline.
func TestPlannedFenceGoesOn(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(
			w.tiered("db", layers.Data, instantly, takes(time.Second)), w.tiered("net", layers.Internal, instantly, hangs),
			w.tiered("edge", layers.External, instantly, hangs))
		a.Fence(lease.Fence{ID: 1, Deadline: sec(9), Planned: true})
		w.until(sec(8))
		w.want(`
			7s db is inactive
			7s db 1 fence succeeded after 1s`)
		a.Close()
	})
}

// A watched is a layer that others change.
type watched struct {
	*layer
	changed chan func()
}

func (w watched) Watch(ctx context.Context, changed func()) {
	w.changed <- changed
	<-ctx.Done()
}

// TestStandDown: what runs is called off, nobody watches, and what others change is left. The
// next order is as the first.
func TestStandDown(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		l := watched{w.layer("edge", instantly, takes(time.Second)), make(chan func(), 1)}
		a := w.start(l)
		a.Fence(lease.Fence{ID: 1, Deadline: sec(10)})
		changed := <-l.changed
		w.until(sec(0.5))
		a.StandDown()
		w.until(sec(3))
		changed()
		w.until(sec(4))
		a.Fence(lease.Fence{ID: 2, Deadline: sec(10)})
		changed = <-l.changed
		w.until(sec(6))
		a.StandDown()
		changed()
		w.until(sec(8))
		a.Close()
		w.want(`
			500ms edge 1 fence superseded after 500ms: a newer order has taken its place
			5s edge is inactive
			5s edge 2 fence succeeded after 1s
			5s done 2 fence
			6s edge is unknown`)
	})
}

func TestChangeIsPutBack(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		l := watched{w.layer("edge", instantly, takes(time.Second)), make(chan func(), 1)}
		a := w.start(l, w.layer("db", instantly, instantly))
		a.Fence(lease.Fence{ID: 1, Deadline: sec(10)})
		changed := <-l.changed
		w.until(sec(2))
		changed()
		w.until(sec(2.5))
		changed() // the attempt may have missed it
		w.until(sec(6))
		changed()
		a.Activate(lease.Activate{ID: 2, Deadline: sec(20)}) // it must not fence any more
		w.until(sec(8))
		a.Close()
		changed()
		synctest.Wait()
		w.want(`
			0s db is inactive
			0s db 1 fence succeeded after 0s
			1s edge is inactive
			1s edge 1 fence succeeded after 1s
			1s done 1 fence
			3s edge 1 fence succeeded after 1s
			4.1s edge 1 fence succeeded after 1s
			6s edge is unknown
			6s edge is active
			6s edge 2 activate succeeded after 0s
			6s db is unknown
			6s db is active
			6s db 2 activate succeeded after 0s
			6s done 2 activate`)
	})
}

func TestManyChangesDoNotMakeItBusy(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		l := watched{w.layer("edge", instantly, instantly), make(chan func(), 1)}
		a := w.start(l)
		a.Fence(lease.Fence{ID: 1, Deadline: sec(10)})
		changed := <-l.changed
		for at := 0.01; at < 0.3; at += 0.01 {
			w.until(sec(at))
			changed()
		}
		a.Close()
		w.want(`
			0s edge is inactive
			0s edge 1 fence succeeded after 0s
			0s done 1 fence
			100ms edge 1 fence succeeded after 0s
			200ms edge 1 fence succeeded after 0s`)
	})
}
