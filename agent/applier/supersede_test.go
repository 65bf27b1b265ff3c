package applier_test

import (
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A fence in the midst of an activation: the slow layer is called off at once,
// and one that does not listen holds up itself alone.
func TestFenceSupersedesActivate(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", instantly, takes(time.Second)), w.layer("net", takes(5*time.Second), instantly), w.layer("edge", instantly, takes(2*time.Second)))
		a.Activate(lease.Activate{ID: 1, Epoch: 1, Deadline: sec(30)})
		w.until(sec(3))
		w.want(`
			0s db is active
			0s db 1 activate succeeded after 0s`)
		a.Fence(lease.Fence{ID: 2, Epoch: 2, Deadline: sec(30)})
		w.until(sec(10))
		w.want(`
			3s db is unknown
			3s net 1 activate superseded after 3s: a newer order has taken its place
			3s net is inactive
			3s net 2 fence succeeded after 0s
			4s db is inactive
			4s db 2 fence succeeded after 1s
			5s edge is inactive
			5s edge 2 fence succeeded after 2s
			5s done 2 fence`)
		a.Close()
	})
}

func TestStubbornLayerHoldsUpNobody(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", ignores(20*time.Second), takes(time.Second)), w.layer("net", instantly, instantly), w.layer("edge", instantly, takes(time.Second)))
		a.Activate(lease.Activate{ID: 1, Epoch: 1, Deadline: sec(10)})
		w.until(sec(2))
		a.Fence(lease.Fence{ID: 2, Epoch: 2, Deadline: sec(12)})
		w.until(sec(30))
		w.want(`
			2s net is inactive
			2s net 2 fence succeeded after 0s
			3s edge is inactive
			3s edge 2 fence succeeded after 1s
			20s db is active
			20s db 1 activate succeeded after 20s
			20s db is unknown
			21s db is inactive
			21s db 2 fence succeeded after 1s
			21s done 2 fence`)
		a.Close()
	})
}

func TestActivateSupersedesFence(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", takes(time.Second), hangs), w.layer("edge", instantly, instantly))
		a.Fence(lease.Fence{ID: 1, Epoch: 1, Deadline: sec(10)})
		w.until(sec(1))
		a.Activate(lease.Activate{ID: 2, Epoch: 2, Deadline: sec(10)})
		w.until(sec(5))
		w.want(`
			0s edge is inactive
			0s edge 1 fence succeeded after 0s
			1s db 1 fence superseded after 1s: a newer order has taken its place
			2s db is active
			2s db 2 activate succeeded after 1s
			2s edge is unknown
			2s edge is active
			2s edge 2 activate succeeded after 0s
			2s done 2 activate`)
		a.Close()
	})
}

// What was done for an order before proves nothing for this one.
func TestFenceSupersedesFence(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", instantly, ignores(4*time.Second)))
		a.Fence(lease.Fence{ID: 1, Epoch: 1, Deadline: sec(10)})
		w.until(sec(1))
		a.Fence(lease.Fence{ID: 2, Epoch: 2, Deadline: sec(10)})
		w.until(sec(10))
		w.want(`
			4s db is inactive
			4s db 1 fence succeeded after 4s
			8s db 2 fence succeeded after 4s
			8s done 2 fence`)
		a.Close()
	})
}
