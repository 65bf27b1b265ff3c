package agent_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// TestFirstStartByPledges: all are there, so nobody waits for a lease to run out.
func TestFirstStartByPledges(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.params.Quorum = true
		w.regions["a"].start()
		w.regions["b"].start()
		w.until(5 * time.Second)
		// b has pledged: its disk knows of the epoch before a learns of it.
		pledged := slices.Index(w.lines, "2.1 b saved 1 until 2.1")
		if active := slices.Index(w.lines, "2.1 a layer active, epoch 1"); pledged < 0 || pledged > active {
			t.Errorf("b's pledge is on disk at %d of %q, want it there before a is active", pledged, w.lines)
		}
		w.lines = slices.Delete(w.lines, max(0, pledged), pledged+1)
		w.want(`
			0.0 a layer inactive, epoch 0
			0.0 b layer inactive, epoch 0
			2.1 a saved 1 until 32.0
			2.1 a layer active, epoch 1
			2.2 a saved 1 until 32.1`)
	})
}

// TestWitnessDown: the witness does not answer for 20 TTLs, and authority goes on (§4).
func TestWitnessDown(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.params.Quorum = true
		a, b := w.regions["a"], w.regions["b"]
		a.start()
		b.start()
		w.until(5 * time.Second)
		w.store.hang()
		w.until(10 * time.Minute)
		if got := a.agent.Status(); got.State != lease.Active || got.Witness.Up || len(a.history) != 3 {
			t.Errorf("a is %s, witness up %v, its history %v; want that it has gone on without the witness", got.State, got.Witness.Up, a.history)
		}
		w.lines = nil

		// Now it is cut off from b too: it must stop by its deadline, and b must not take.
		a.set(func() { a.deaf = true })
		w.until(12 * time.Minute)
		last := w.lines[len(w.lines)-1]
		if got := a.agent.Status(); got.State != lease.Standby || !strings.HasSuffix(last, "a layer inactive, epoch 1") {
			t.Errorf("a is %s, the last that happened is %q", got.State, last)
		}
		if got := b.agent.Status(); got.State == lease.Active || got.Peers[0].Quorum.Reached {
			t.Errorf("b is %s, and reaches a: %v", got.State, got.Peers[0].Quorum.Reached)
		}
		w.lines = nil

		// An operator makes sure that a is down, and says so.
		if err := b.agent.Command(t.Context(), says(agent.TakeOver, "c"), false); err == nil {
			t.Error("it takes over from a region that is no member")
		}
		if err := b.agent.Command(t.Context(), says(agent.TakeOver, "a"), false); err != nil {
			t.Error(err)
		}
		w.until(12*time.Minute + time.Second)
		if got := b.agent.Status(); got.State != lease.Active || got.Epoch != 2 || !got.Peers[0].Quorum.DeclaredFenced {
			t.Errorf("b is %s for epoch %d, a declared fenced: %v", got.State, got.Epoch, got.Peers[0].Quorum.DeclaredFenced)
		}
		w.store.heal()
	})
}

// says is what an operator says.
func says(verb string, about lease.Region) audit.Command {
	return audit.Command{Verb: verb, Region: about, User: "ada", Reason: "a test"}
}

// TestSwitchOver: authority is handed over in the time of two questions.
func TestSwitchOver(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.params.Quorum = true
		a, b := w.regions["a"], w.regions["b"]
		a.start()
		b.start()
		w.until(15 * time.Second)
		w.lines = nil
		var refused *agent.RefusedError
		if err := b.agent.Command(t.Context(), says(agent.SwitchOver, "a"), false); !errors.As(err, &refused) || refused.Gate.Code != lease.GateIsActive {
			t.Errorf("b hands over what it does not have: %v", err)
		}
		if err := a.agent.Command(t.Context(), says(agent.TakeOver, "b"), false); !errors.As(err, &refused) || refused.Gate.Code != lease.GateNotActive {
			t.Errorf("a takes over what it has: %v", err)
		}
		if err := a.agent.Command(t.Context(), says(agent.SwitchOver, "b"), false); err != nil {
			t.Fatal(err)
		}
		w.until(17 * time.Second)
		w.lines = slices.DeleteFunc(w.lines, func(l string) bool { return strings.HasPrefix(l, "15.0 a") }) // at once, in any order
		w.want(`
			15.1 a saved 2 until 15.1
			15.1 b saved 2 until 45.0
			15.1 b layer active, epoch 2
			15.2 b saved 2 until 45.1`)
	})
}

// TestStopHandsOver: a daemon that is stopped leaves no gap of a TTL behind.
func TestStopHandsOver(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.params.Quorum = true
		a, b := w.regions["a"], w.regions["b"]
		a.start()
		b.start()
		w.until(15 * time.Second)
		a.cancel()
		<-a.done
		if took := time.Since(w.begun) - 15*time.Second; took > 3*time.Second {
			t.Errorf("it took %v to stop", took)
		}
		if got := b.agent.Status(); got.State != lease.Active {
			t.Errorf("b is %s, want it active when a has ended", got.State)
		}
	})
}

// TestFrozenAnswers: a frozen region leaves a question unanswered, and answers the next one when it
// thaws.
func TestFrozenAnswers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.params.Quorum = true
		a := w.regions["a"]
		a.start()
		w.until(time.Second)
		a.freeze()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		q := quorum.Question{Question: lease.Question{Verb: lease.VerbPledge, Epoch: 9, Safety: lease.SafetyHash(w.params.Safety())}, Asker: "b", To: "a"}
		if _, err := a.agent.Answer(ctx, q); err == nil {
			t.Error("a frozen region answers")
		}
		a.thaw()
		answer, err := a.agent.Answer(t.Context(), q)
		if err != nil || !answer.Granted {
			t.Errorf("got %+v, %v, want a pledge", answer, err)
		}
		q.Epoch = 8
		if answer, err = a.agent.Answer(t.Context(), q); err != nil || answer.Granted || answer.Why != lease.RefusedEpoch || answer.Epoch != 9 {
			t.Errorf("got %+v, %v, want that the epoch is refused", answer, err)
		}
	})
}
