package demo

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// TestEndOfLife shows that what is killed has no effect any more, as a process would have none.
func TestEndOfLife(t *testing.T) {
	l := newLife()
	done := 0
	do := func() error { done++; return nil }
	l.effect(do)
	l.running.shut()
	l.end()
	if err := l.effect(do); err != nil || done != 1 {
		t.Errorf("got %v and %d effects, want nothing and 1", err, done)
	}
	if value, err := (link{witness: newGate(), life: l}).Get(t.Context(), "k"); !errors.Is(err, errKilled) {
		t.Errorf("it reads %q, %v; want that it learns nothing", value, err)
	}
	<-l.running.passed() // and it is not frozen, so that its goroutines end
}

// TestFreeze: a frozen agent learns no time and has no effect, until it is thawed; time has gone on then.
func TestFreeze(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLife()
		l.running.shut()
		var now, began lease.Instant
		done := 0
		began = clock{life: newLife()}.Now()
		go func() { now = clock{life: l}.Now() }()
		go func() { l.effect(func() error { done++; return nil }) }()
		synctest.Wait()
		if now != 0 || done != 0 {
			t.Errorf("frozen, it reads the time %d and has %d effects, want neither", now, done)
		}
		l.running.reopen()
		synctest.Wait()
		if now < began || done != 1 {
			t.Errorf("thawed, it reads the time %d and has %d effects; want at least %d, and 1", now, done, began)
		}
	})
}

// TestWitnessOutOfReach: what is asked of the witness by one that is cut off, or while the witness is
// down, hangs until its deadline, and never comes.
func TestWitnessOutOfReach(t *testing.T) {
	for _, what := range []string{"cut off", "down"} {
		synctest.Test(t, func(t *testing.T) {
			l := link{witness: newGate(), life: newLife()} // there is no store that it could come to
			if what == "down" {
				l.witness.shut()
			} else {
				l.life.linked.shut()
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			begun := time.Now()
			err := l.Put(ctx, "k", nil)
			if werr := (*witness.Error)(nil); !errors.As(err, &werr) || time.Since(begun) != time.Second {
				t.Errorf("%s: after %v it got %v; want a *witness.Error after 1s", what, time.Since(begun), err)
			}
		})
	}
}
