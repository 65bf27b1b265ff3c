package applier_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// Whatever is ordered when, and however the layers behave: nothing of two orders
// overlaps on a layer, nothing is active after a fence has begun (layer checks
// both), no activation begins or goes on past its deadline, and the last fence is
// done in the end.
func TestRandomOrders(t *testing.T) {
	for seed := range uint64(300) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			run(t, func(t *testing.T, w *world) { randomOrders(t, w, rand.New(rand.NewPCG(seed, 1))) })
		})
	}
}

func randomOrders(t *testing.T, w *world, r *rand.Rand) {
	var mu sync.Mutex // guards r and what follows: layers run at the same time
	deadlines := map[uint64]lease.Instant{}
	calm := false // the layers behave from now on

	within := func(d time.Duration) time.Duration { return time.Duration(r.Int64N(int64(d))) }
	do := func(ctx context.Context, action layers.Action, o layers.Order) error {
		mu.Lock()
		begun, deadline := w.clock.Now(), deadlines[o.Epoch]
		kind, d := r.IntN(4), within(8*time.Second)
		if calm {
			kind = 3
		}
		mu.Unlock()
		if action == layers.Activate && begun >= deadline {
			t.Errorf("%v: an activation of order %d begins at or after its deadline %v", w.at(), o.Epoch, time.Duration(deadline))
		}
		var err error
		switch kind {
		case 0:
			return ignores(d)(ctx, 0)
		case 1:
			return errRefused
		case 2:
			err = takes(d)(ctx, 0)
		}
		mu.Lock()
		defer mu.Unlock()
		if now := w.clock.Now(); action == layers.Activate && now > deadlines[o.Epoch] {
			t.Errorf("%v: an activation of order %d goes on after its deadline %v", w.at(), o.Epoch, time.Duration(deadlines[o.Epoch]))
		}
		return err
	}
	var ls []layers.Layer
	for _, name := range []string{"db", "net", "edge"} {
		ls = append(ls, &layer{world: w, name: name, do: do})
	}
	a := w.start(ls...)
	newest, active := uint64(0), false
	for range 3 + r.IntN(12) {
		mu.Lock()
		pause, kind := within(6*time.Second), r.IntN(5)
		deadline := w.clock.Now().Add(pause + within(12*time.Second))
		mu.Unlock()
		w.until(w.clock.Now().Add(pause))
		mu.Lock()
		switch {
		case kind == 0 && active:
			// Authority that has ended is not extended.
			if deadline > deadlines[newest] && w.clock.Now() < deadlines[newest] {
				deadlines[newest] = deadline
				a.Extend(deadline)
			}
		case kind <= 2:
			newest++
			deadlines[newest], active = deadline, true
			a.Activate(lease.Activate{ID: lease.ActionID(newest), Epoch: newest, Deadline: deadline})
		default:
			newest++
			active = false
			a.Fence(lease.Fence{ID: lease.ActionID(newest), Epoch: newest, Deadline: deadline})
		}
		mu.Unlock()
	}
	mu.Lock()
	calm = true
	newest++
	mu.Unlock()
	a.Fence(lease.Fence{ID: lease.ActionID(newest), Epoch: newest, Deadline: w.clock.Now().Add(10 * time.Second)})
	w.until(w.clock.Now().Add(20 * time.Second)) // an attempt before may go on for 8 s
	w.mu.Lock()
	defer w.mu.Unlock()
	if last := w.lines[len(w.lines)-1]; !strings.HasSuffix(last, fmt.Sprintf(" done %d fence", newest)) {
		t.Errorf("got:\n%s\nwant done %d fence in the end", strings.Join(w.lines, "\n"), newest)
	}
	w.mu.Unlock()
	a.Close()
	w.mu.Lock()
}
