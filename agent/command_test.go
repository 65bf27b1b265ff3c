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
