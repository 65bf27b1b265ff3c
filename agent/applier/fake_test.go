package applier_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/applier"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// A virtualClock is a boot clock over the time of a synctest bubble. It can be
// made to have slept: Go's timers then stand still, and it does not.
type virtualClock struct {
	start time.Time

	mu    sync.Mutex
	slept time.Duration
	at    lease.Instant
	timer *time.Timer
	c     chan struct{}
}

func newClock() *virtualClock {
	return &virtualClock{start: time.Now(), at: lease.Never, c: make(chan struct{}, 1)}
}

func (v *virtualClock) Now() lease.Instant {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.now()
}

func (v *virtualClock) now() lease.Instant {
	return lease.Instant(time.Since(v.start) + v.slept)
}

func (v *virtualClock) Set(at lease.Instant) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.at = at
	v.arm()
}

// suspend lets the boot clock, and nothing else, go on for d.
func (v *virtualClock) suspend(d time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.slept += d
	v.arm()
}

func (v *virtualClock) arm() {
	if v.timer != nil {
		v.timer.Stop()
	}
	if v.at != lease.Never {
		v.timer = time.AfterFunc(v.at.Sub(v.now()), func() {
			select {
			case v.c <- struct{}{}:
			default:
			}
		})
	}
}

func (v *virtualClock) C() <-chan struct{} { return v.c }

func (v *virtualClock) Close() error {
	v.Set(lease.Never)
	return nil
}

// A world is what layers act on, and the record of what happened in it.
type world struct {
	t     *testing.T
	clock *virtualClock

	mu    sync.Mutex
	lines []string
}

// at is the region's time: "1.5s".
func (w *world) at() time.Duration { return time.Duration(w.clock.Now()) }

func (w *world) note(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf("%v ", w.at())+fmt.Sprintf(format, args...))
}

// report is what an applier reports to.
func (w *world) report(ev applier.Event) {
	switch ev := ev.(type) {
	case applier.Done:
		w.note("done %d %s", ev.ID, ev.Action)
	case applier.Attempt:
		why := ""
		if ev.Err != nil {
			why = ": " + ev.Err.Error()
		}
		w.note("%s %d %s %s after %v%s", ev.Layer, ev.ID, ev.Action, ev.Outcome, ev.Duration, why)
	case applier.LayerState:
		w.note("%s is %s", ev.Layer, ev.State)
	}
}

// want compares what has happened with the lines of a story; blanks around a
// line don't count.
func (w *world) want(story string) {
	w.t.Helper()
	var want []string
	for line := range strings.Lines(story) {
		if line = strings.TrimSpace(line); line != "" {
			want = append(want, line)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if got := strings.Join(w.lines, "\n"); got != strings.Join(want, "\n") {
		w.t.Errorf("got:\n%s\nwant:\n%s", got, strings.Join(want, "\n"))
	}
	w.lines = nil
}

func (w *world) start(ls ...layers.Layer) *applier.Applier {
	return applier.New(applier.Config{
		Group: "rtz-prod", Region: "fsn", Layers: ls, Clock: w.clock, Timer: w.clock, Report: w.report,
	})
}

// A layer of the world does as it is told by do, and checks what the applier
// guarantees to every layer.
type layer struct {
	*world
	name string
	tier layers.Tier
	do   func(ctx context.Context, action layers.Action, o layers.Order) error

	mu       sync.Mutex
	busy     layers.Action // what is running, or empty
	fencedBy uint64        // epoch of the newest order whose fence has begun
}

func (l *layer) Name() string { return l.name }

func (l *layer) Tier() layers.Tier { return l.tier }

func (l *layer) Activate(ctx context.Context, o layers.Order) error {
	return l.attempt(ctx, layers.Activate, o)
}

func (l *layer) Fence(ctx context.Context, o layers.Order) error {
	return l.attempt(ctx, layers.Fence, o)
}

func (l *layer) Observe(context.Context) (layers.State, error) { return layers.Unknown, nil }

func (l *layer) attempt(ctx context.Context, action layers.Action, o layers.Order) error {
	l.mu.Lock()
	if l.busy != "" {
		l.t.Errorf("%v: %s: %s of order %d begins while %s runs", l.at(), l.name, action, o.Epoch, l.busy)
	}
	l.busy = action
	if action == layers.Fence {
		l.fencedBy = o.Epoch
	}
	l.mu.Unlock()

	err := l.do(ctx, action, o)

	l.mu.Lock()
	defer l.mu.Unlock()
	if action == layers.Activate && err == nil && l.fencedBy > o.Epoch {
		l.t.Errorf("%v: %s: order %d is active after the fence of order %d has begun", l.at(), l.name, o.Epoch, l.fencedBy)
	}
	l.busy = ""
	return err
}

// behaviour is what a layer does in its n-th attempt at an action, from 1.
type behaviour func(ctx context.Context, n int) error

// layer makes one that behaves in the given ways.
func (w *world) layer(name string, activate, fence behaviour) *layer {
	n := map[layers.Action]int{}
	return &layer{world: w, name: name, tier: layers.Custom, do: func(ctx context.Context, action layers.Action, _ layers.Order) error {
		n[action]++
		if action == layers.Activate {
			return activate(ctx, n[action])
		}
		return fence(ctx, n[action])
	}}
}

var errRefused = errors.New("refused")

func instantly(context.Context, int) error { return nil }

// takes needs d, and stops when it is told to.
func takes(d time.Duration) behaviour {
	return func(ctx context.Context, _ int) error {
		select {
		case <-time.After(d):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// ignores needs d, whatever it is told meanwhile, and has the effect then.
func ignores(d time.Duration) behaviour {
	return func(context.Context, int) error { time.Sleep(d); return nil }
}

// fails n times.
func fails(n int) behaviour {
	return func(_ context.Context, i int) error {
		if i <= n {
			return errRefused
		}
		return nil
	}
}

func hangs(ctx context.Context, _ int) error { return takes(100*time.Hour)(ctx, 0) }

func sec(s float64) lease.Instant { return lease.Instant(s * float64(time.Second)) }
