package agent_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
)

// TestPauseAndResumeAtOnce: what is on disk is what was said last, though the save of what was said before it takes long.
func TestPauseAndResumeAtOnce(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.start()
		slow := make(chan struct{})
		a.set(func() { a.slowPause = slow })
		said := make(chan error, 2)
		for _, verb := range []string{agent.Pause, agent.Resume} {
			go func() {
				said <- a.agent.Command(t.Context(), audit.Command{Verb: verb, For: time.Hour, User: "ada", Reason: "a test"}, false)
			}()
			synctest.Wait()
		}
		if s := a.agent.Status(); s.Paused != nil {
			t.Errorf("it is paused for %v s, want it resumed", *s.Paused)
		}
		close(slow)
		for range 2 {
			if err := <-said; err != nil {
				t.Error(err)
			}
		}
		if !a.paused.IsZero() {
			t.Errorf("on disk it is paused until %v, want it resumed", a.paused)
		}
	})
}

// TestGivenUpCommand: what an operator has said, and given up before it was looked at, is not done.
func TestGivenUpCommand(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.params.Quorum = true
		a, b := w.regions["a"], w.regions["b"]
		a.start()
		b.start()
		w.until(15 * time.Second)
		ctx, giveUp := context.WithCancel(t.Context())
		giveUp()
		for range 20 { // some come to the agent's inbox all the same
			if err := a.agent.Command(ctx, says(agent.SwitchOver, "b"), false); !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want that it was given up", err)
			}
		}
		w.until(16 * time.Second)
		if s := a.agent.Status(); s.State != lease.Active {
			t.Errorf("a is %s, want it active: nobody waits for what was said to it", s.State)
		}
	})
}

// TestOldCommand: what was said before an agent stood still is of no use when it goes on, nor is what was said on another clock.
func TestOldCommand(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.params.Quorum = true
		a, b := w.regions["a"], w.regions["b"]
		a.start()
		b.start()
		w.until(15 * time.Second)
		said := agent.Moment{At: w.now(), BootID: "boot"}
		w.until(20*time.Second + time.Millisecond)
		for what, at := range map[string]agent.Moment{
			"old": said, "of another boot": {At: w.now(), BootID: "another"}, "of a time to come": {At: w.now() + 1, BootID: "boot"},
		} {
			if err := a.agent.CommandOf(t.Context(), says(agent.SwitchOver, "b"), at, false); !errors.Is(err, agent.ErrOld) {
				t.Errorf("%s: got %v, want %v", what, err, agent.ErrOld)
			}
		}
		if s := a.agent.Status(); s.State != lease.Active {
			t.Errorf("a is %s, want it active", s.State)
		}
		w.until(25 * time.Second)
		said.At = w.now()
		w.until(30 * time.Second) // the last moment
		if err := a.agent.CommandOf(t.Context(), says(agent.SwitchOver, "b"), said, false); err != nil {
			t.Error(err)
		}
	})
}
