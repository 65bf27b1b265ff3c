package applier_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// run runs a test in a bubble: time goes on when everyone waits. A goroutine
// that is left at its end fails it.
func run(t *testing.T, f func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) { f(t, &world{t: t, clock: newClock()}) })
}

// until lets time pass up to an instant, and everyone come to rest there.
func (w *world) until(at lease.Instant) {
	time.Sleep(at.Sub(w.clock.Now()))
	synctest.Wait()
}

func TestNoLayers(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start()
		a.Fence(lease.Fence{ID: 1, Deadline: sec(10)})
		synctest.Wait()
		a.Activate(lease.Activate{ID: 2, Deadline: sec(10)})
		synctest.Wait()
		a.Activate(lease.Activate{ID: 3, Deadline: 0}) // nothing to do, so nothing is too late
		synctest.Wait()
		a.Extend(sec(20))
		a.Close()
		w.want(`
			0s done 1 fence
			0s done 2 activate
			0s done 3 activate`)
	})
}

func TestFenceIsParallel(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", instantly, takes(3*time.Second)), w.layer("net", instantly, takes(time.Second)), w.layer("edge", instantly, takes(2*time.Second)))
		a.Fence(lease.Fence{ID: 1, Deadline: sec(10)})
		w.until(sec(5))
		a.Close()
		w.want(`
			1s net is inactive
			1s net 1 fence succeeded after 1s
			2s edge is inactive
			2s edge 1 fence succeeded after 2s
			3s db is inactive
			3s db 1 fence succeeded after 3s
			3s done 1 fence`)
	})
}

func TestActivateIsInOrder(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", takes(2*time.Second), instantly), w.layer("net", fails(1), instantly), w.layer("edge", instantly, instantly))
		a.Activate(lease.Activate{ID: 1, Deadline: sec(10)})
		w.until(sec(5))
		a.Close()
		w.want(`
			2s db is active
			2s db 1 activate succeeded after 2s
			2s net 1 activate failed after 0s: refused
			2.1s net is active
			2.1s net 1 activate succeeded after 0s
			2.1s edge is active
			2.1s edge 1 activate succeeded after 0s
			2.1s done 1 activate`)
	})
}

func TestRetryBacksOff(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", instantly, fails(7)))
		a.Fence(lease.Fence{ID: 1, Deadline: sec(100)})
		w.until(sec(20))
		w.want(`
			0s db 1 fence failed after 0s: refused
			100ms db 1 fence failed after 0s: refused
			300ms db 1 fence failed after 0s: refused
			700ms db 1 fence failed after 0s: refused
			1.5s db 1 fence failed after 0s: refused
			3.1s db 1 fence failed after 0s: refused
			5.1s db 1 fence failed after 0s: refused
			7.1s db is inactive
			7.1s db 1 fence succeeded after 0s
			7.1s done 1 fence`)
		a.Close()
	})
}

// A new order does not wait for the pause of the one before.
func TestNewOrderBacksOffAnew(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", instantly, fails(6)))
		a.Fence(lease.Fence{ID: 1, Deadline: sec(100)})
		w.until(sec(4))
		w.mu.Lock()
		w.lines = nil
		w.mu.Unlock()
		a.Fence(lease.Fence{ID: 2, Deadline: sec(100)})
		w.until(sec(5))
		w.want(`
			4s db is inactive
			4s db 2 fence succeeded after 0s
			4s done 2 fence`)
		a.Close()
	})
}

// Its deadline has passed, and a fence goes on all the same, with attempts that
// have the time to succeed.
func TestFenceNeverGivesUp(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", instantly, func(ctx context.Context, n int) error {
			if n < 4 {
				return hangs(ctx, n)
			}
			return takes(4*time.Second)(ctx, n)
		}))
		a.Fence(lease.Fence{ID: 1, Deadline: sec(10)})
		w.until(sec(60))
		w.want(`
			10s db 1 fence timed_out after 10s: its deadline has passed
			15.1s db 1 fence timed_out after 5s: its deadline has passed
			20.3s db 1 fence timed_out after 5s: its deadline has passed
			24.7s db is inactive
			24.7s db 1 fence succeeded after 4s
			24.7s done 1 fence`)
		a.Close()
	})
}

// An attempt that hangs is tried again, however long authority stands.
func TestHangingActivation(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", hangs, instantly))
		a.Activate(lease.Activate{ID: 1, Deadline: lease.Never})
		w.until(sec(125))
		w.want(`
			1m0s db 1 activate timed_out after 1m0s: its deadline has passed
			2m0.1s db 1 activate timed_out after 1m0s: its deadline has passed`)
		a.Close()
	})
}

func TestActivateEndsAtDeadline(t *testing.T) {
	tests := []struct {
		name  string
		first behaviour
		story string
	}{
		{"while an attempt runs", hangs, `
			10s db 1 activate timed_out after 10s: its deadline has passed`},
		{"between two attempts", fails(100), `
			0s db 1 activate failed after 0s: refused
			100ms db 1 activate failed after 0s: refused
			300ms db 1 activate failed after 0s: refused
			700ms db 1 activate failed after 0s: refused
			1.5s db 1 activate failed after 0s: refused
			3.1s db 1 activate failed after 0s: refused
			5.1s db 1 activate failed after 0s: refused
			7.1s db 1 activate failed after 0s: refused
			9.1s db 1 activate failed after 0s: refused`},
		// Its effect is there, but no other layer follows.
		{"while an attempt runs that can't be stopped", ignores(11 * time.Second), `
			11s db is active
			11s db 1 activate succeeded after 11s`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run(t, func(t *testing.T, w *world) {
				a := w.start(w.layer("db", tt.first, instantly), w.layer("edge", instantly, instantly))
				a.Activate(lease.Activate{ID: 1, Deadline: sec(10)})
				w.until(sec(100))
				w.want(tt.story)
				a.Close()
			})
		})
	}
}

func TestActivateTooLate(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", instantly, instantly))
		w.until(sec(10))
		a.Activate(lease.Activate{ID: 1, Deadline: sec(10)})
		w.until(sec(20))
		w.want("")
		a.Close()
	})
}

func TestExtend(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", takes(25*time.Second), instantly), w.layer("edge", takes(time.Second), instantly))
		a.Activate(lease.Activate{ID: 1, Deadline: sec(10)})
		w.until(sec(9))
		a.Extend(sec(20)) // of the attempt that runs
		w.until(sec(19))
		a.Extend(sec(25.5))
		w.until(sec(30))
		w.want(`
			25s db is active
			25s db 1 activate succeeded after 25s
			25.5s edge 1 activate timed_out after 500ms: its deadline has passed`)
		a.Extend(sec(40)) // the extension came late: it goes on
		w.until(sec(50))
		w.want(`
			31s edge is active
			31s edge 1 activate succeeded after 1s
			31s done 1 activate`)
		a.Close()
	})
}

// An Extend is for the activation that stands, whether the applier has seen it
// already or not, and for nothing else.
func TestExtendOfWhat(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", takes(5*time.Second), takes(8*time.Second)))
		a.Extend(sec(1)) // of nothing
		a.Activate(lease.Activate{ID: 1, Deadline: sec(2)})
		a.Extend(sec(10))
		w.until(sec(9))
		w.want(`
			5s db is active
			5s db 1 activate succeeded after 5s
			5s done 1 activate`)
		a.Fence(lease.Fence{ID: 2, Deadline: sec(10)})
		a.Extend(sec(12))
		synctest.Wait()
		a.Extend(sec(12)) // a fence has its own deadline, here the least time of an attempt
		w.until(sec(14))
		w.want(`
			9s db is unknown
			14s db 2 fence timed_out after 5s: its deadline has passed`)
		a.Close()
	})
}

// The region sleeps through the deadline. Go's timers know nothing of it.
func TestSuspend(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", hangs, hangs))
		a.Activate(lease.Activate{ID: 1, Deadline: sec(30)})
		w.until(sec(1))
		w.clock.suspend(time.Hour)
		synctest.Wait()
		w.want(`
			1h0m1s db 1 activate timed_out after 1h0m1s: its deadline has passed`)
		a.Close()
	})
}

// What a layer is told.
func TestOrder(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(&layer{world: w, name: "db", do: func(ctx context.Context, action layers.Action, o layers.Order) error {
			deadline, _ := ctx.Deadline()
			w.note("%s %+v, %v left", action, o, time.Until(deadline))
			return nil
		}})
		tests := []struct {
			do   func()
			want string
		}{
			{func() { a.Fence(lease.Fence{ID: 1, Deadline: sec(10), Epoch: 7, Reason: "started"}) }, "fence {Group:rtz-prod Region:fsn Epoch:7 Term:0 Reason:started}, 10s left"},
			{func() { a.Fence(lease.Fence{ID: 2, Deadline: sec(3), Epoch: 7}) }, "fence {Group:rtz-prod Region:fsn Epoch:7 Term:0 Reason:}, 5s left"},
			{func() { a.Fence(lease.Fence{ID: 3, Deadline: 0, Epoch: 7}) }, "fence {Group:rtz-prod Region:fsn Epoch:7 Term:0 Reason:}, 5s left"},
			{func() { a.Fence(lease.Fence{ID: 4, Deadline: lease.Never, Epoch: 7}) }, "fence {Group:rtz-prod Region:fsn Epoch:7 Term:0 Reason:}, 1m0s left"},
			{func() { a.Activate(lease.Activate{ID: 5, Deadline: sec(3), Epoch: 8, Reason: "taken"}) }, "activate {Group:rtz-prod Region:fsn Epoch:8 Term:0 Reason:taken}, 3s left"},
			{func() { a.Activate(lease.Activate{ID: 6, Deadline: lease.Never, Epoch: 8}) }, "activate {Group:rtz-prod Region:fsn Epoch:8 Term:0 Reason:}, 1m0s left"},
		}
		for _, tt := range tests {
			tt.do()
			synctest.Wait()
			w.mu.Lock()
			got := ""
			for _, line := range w.lines {
				if line[len(line)-len(" left"):] == " left" {
					got = line
				}
			}
			w.mu.Unlock()
			if want := "0s " + tt.want; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		a.Close()
	})
}

// Close ends what runs, and waits for what does not listen.
func TestClose(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", instantly, hangs), w.layer("edge", instantly, ignores(5*time.Second)))
		a.Fence(lease.Fence{ID: 1, Deadline: sec(10)})
		w.until(sec(2))
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		a.Activate(lease.Activate{ID: 2, Deadline: sec(10)}) // no one is there to do it
		w.until(sec(20))
		w.want(`
			2s db 1 fence superseded after 2s: failoverd stops
			5s edge is inactive
			5s edge 1 fence succeeded after 5s`)
		if err := a.Close(); err != nil {
			t.Errorf("the second Close: %v", err)
		}
	})
}

// Calls never block, also while the applier itself is held up.
func TestCallsDontBlock(t *testing.T) {
	run(t, func(t *testing.T, w *world) {
		a := w.start(w.layer("db", instantly, instantly))
		for id := range lease.ActionID(1000) {
			a.Activate(lease.Activate{ID: 2 * id, Epoch: uint64(2 * id), Deadline: sec(10)})
			a.Extend(sec(20))
			a.Fence(lease.Fence{ID: 2*id + 1, Epoch: uint64(2*id + 1), Deadline: sec(10)})
		}
		synctest.Wait()
		w.mu.Lock()
		got := w.lines[len(w.lines)-1]
		w.mu.Unlock()
		if want := fmt.Sprintf("0s done %d fence", 1999); got != want {
			t.Errorf("it ends with %q, want %q", got, want)
		}
		a.Close()
	})
}
