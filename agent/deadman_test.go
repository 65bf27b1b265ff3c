package agent_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A testWatchdog resets nothing, and knows when it would.
type testWatchdog struct {
	now func() lease.Instant

	mu    sync.Mutex
	armed bool
	pings int
	last  lease.Instant // when it was armed, or pinged
	late  time.Duration // by how much the longest time between two pings was above the timeout
	err   error         // of Arm
}

func (d *testWatchdog) Timeout() time.Duration { return 8 * time.Second }

func (d *testWatchdog) Armed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.armed
}

func (d *testWatchdog) Arm() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	if d.armed {
		return errors.New("it is armed already")
	}
	d.armed, d.last = true, d.now()
	return nil
}

func (d *testWatchdog) Ping() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.look()
	d.pings, d.last = d.pings+1, d.now()
	return nil
}

func (d *testWatchdog) Disarm() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.look()
	d.armed = false
	return nil
}

// look notes whether the machine would have been reset by now.
func (d *testWatchdog) look() { d.late = max(d.late, d.now().Sub(d.last)-d.Timeout()) }

// is returns whether it is armed, and when it resets the machine.
func (d *testWatchdog) is() (armed bool, resets lease.Instant, pings int, late time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.armed, d.last.Add(d.Timeout()), d.pings, d.late
}

func (d *testWatchdog) set(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.err = err
}

// forgive forgets how late it was, as of a machine that it has not reset.
func (d *testWatchdog) forgive() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.late = 0
}

// withDog starts a region that has a watchdog, and another one, and waits until the first is active.
func (w *world) withDog() (*region, *testWatchdog) {
	w.t.Helper()
	a := w.regions["a"]
	a.dog = &testWatchdog{now: w.now}
	a.start()
	w.regions["b"].start()
	w.until(time.Minute)
	if s := a.agent.Status(); s.State != lease.Active {
		w.t.Fatalf("a is %s, want active", s.State)
	}
	return a, a.dog
}

// TestWatchdogOfTheMachine is armed while the region is active, pinged in time, and disarmed when the region is fenced.
func TestWatchdogOfTheMachine(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, dog := w.withDog()
		w.until(5 * time.Minute)
		if armed, resets, pings, late := dog.is(); !armed || pings < 100 || late > 0 || resets < w.now() {
			t.Errorf("active: armed %v, %d pings, late by %v, resets %v from now; want it armed, and pinged in time", armed, pings, late, resets.Sub(w.now()))
		}
		a.kill() // by asking it to stop
		if armed, _, _, late := dog.is(); armed || late > 0 {
			t.Errorf("stopped: armed %v, late by %v; want it disarmed, in time", armed, late)
		}
	})
}

// TestWatchdogResetsInTime has what ends authority badly: the machine is reset before the authority ends that the region had.
func TestWatchdogResetsInTime(t *testing.T) {
	for name, spoil := range map[string]func(*world, *region){
		"the agent freezes": func(_ *world, a *region) { a.freeze() },
		"the layer does not fence": func(w *world, a *region) {
			a.set(func() { a.hangs = true })
			w.store.set(errors.New("down"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				a, dog := w.withDog()
				for _, at := range []time.Duration{0, 3 * time.Second, 7 * time.Second} { // anywhere between two renewals
					w.until(time.Minute + at)
				}
				spoil(w, a)
				a.mu.Lock()
				deadline := a.saved.Deadline
				a.mu.Unlock()
				w.until(2 * time.Minute)
				if armed, resets, _, _ := dog.is(); !armed || resets > deadline {
					t.Errorf("armed %v, and it resets the machine %v after the end of authority; want it armed, and no later", armed, resets.Sub(deadline))
				}
			})
		})
	}
}

// TestWatchdogFences disarms it when the witness is lost, and the layers are fenced.
func TestWatchdogFences(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		_, dog := w.withDog()
		w.store.set(errors.New("down"))
		w.until(2 * time.Minute)
		if armed, _, _, late := dog.is(); armed || late > 0 {
			t.Errorf("fenced: armed %v, late by %v; want it disarmed, in time", armed, late)
		}
	})
}

// TestWatchdogCanNotBeArmed says so, and arms it as soon as it can be.
func TestWatchdogCanNotBeArmed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.dog = &testWatchdog{now: w.now, err: errors.New("device or resource busy")}
		a.start()
		w.regions["b"].start()
		w.until(time.Minute)
		if trouble := a.agent.Status().Witness.Trouble["watchdog"]; !strings.Contains(trouble, "busy") {
			t.Errorf("the status says %q of the watchdog, want that it is busy", trouble)
		}
		a.dog.set(nil)
		w.until(2 * time.Minute)
		if armed, _, _, _ := a.dog.is(); !armed || a.agent.Status().Witness.Trouble["watchdog"] != "" {
			t.Errorf("armed %v, want it armed, and no trouble", armed)
		}
	})
}

// TestWatchdogNeedNotBeArmed: what kept it from being armed is no trouble any more when nothing is left to end.
func TestWatchdogNeedNotBeArmed(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.dog = &testWatchdog{now: w.now, err: errors.New("device or resource busy")}
		a.start()
		w.regions["b"].start()
		w.until(time.Minute)
		w.store.set(errors.New("down"))
		w.until(2 * time.Minute)
		if s := a.agent.Status(); s.State != lease.Standby || s.Witness.Trouble["watchdog"] != "" {
			t.Errorf("fenced: it is %s, and says %q of the watchdog; want a standby that says nothing", s.State, s.Witness.Trouble["watchdog"])
		}
	})
}

// TestWatchdogOfAFollower starts one of several instances on a machine whose watchdog an agent before it has left armed, with
// authority on disk. Until it hears who sees to the layers it feeds it, up to the end of that authority; and if it is asked to stop
// before, it stays for that.
func TestWatchdogOfAFollower(t *testing.T) {
	const timeout = 8 * time.Second
	down := errors.New("the API server does not answer")
	held := func(by string) lease.TermRecord {
		return lease.TermRecord{Holder: by, Term: 3, Beat: 7, Duration: 4 * time.Second}
	}
	follower := func(w *world, record lease.TermRecord, err error) (*region, *testTerm) {
		a := w.regions["a"]
		a.instance, a.term = "1", &testTerm{record: record, err: err}
		a.dog = &testWatchdog{now: w.now, armed: true, last: w.now()}
		boot, _ := (*testClock)(a).BootID()
		a.saved = lease.Authority{Epoch: 5, Deadline: w.at(20 * time.Second), BootID: boot, Term: 3}
		a.start()
		return a, a.term
	}
	t.Run("another instance acts", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			a, _ := follower(w, held("2"), nil)
			w.until(time.Second)
			if armed, _, _, late := a.dog.is(); armed || late > 0 {
				t.Errorf("armed %v, late by %v; want it disarmed: the other one sees to the layers", armed, late)
			}
		})
	})
	t.Run("it acts itself", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			a, _ := follower(w, held("1"), nil)
			w.until(10 * time.Second)
			if s := a.agent.Status(); s.State != lease.Active || s.Reason.Code != lease.ReasonResumed {
				t.Fatalf("it is %s (%s), want active, and that it goes on", s.State, s.Reason.Code)
			}
			if armed, _, pings, late := a.dog.is(); !armed || pings == 0 || late > 0 {
				t.Errorf("armed %v, %d pings, late by %v; want it armed, and pinged in time", armed, pings, late)
			}
		})
	})
	t.Run("it does not hear who acts", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			a, shared := follower(w, lease.TermRecord{}, down)
			w.until(18 * time.Second)
			armed, resets, _, late := a.dog.is()
			if end := w.at(20 * time.Second); !armed || late > 0 || resets > end || resets.Add(timeout/4) <= end {
				t.Errorf("armed %v, late by %v, and it resets the machine %v after the end of authority; want it armed, and just before", armed, late, resets.Sub(end))
			}
			shared.set(held("2"), nil)
		})
	})
	t.Run("it is asked to stop before", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			a, shared := follower(w, lease.TermRecord{}, down)
			a.cancel()
			w.until(10 * time.Second)
			select {
			case <-a.done:
				t.Fatal("it has ended, and nobody feeds the watchdog")
			default:
			}
			shared.set(held("2"), nil)
			<-a.done
			if armed, _, pings, late := a.dog.is(); armed || pings == 0 || late > 0 {
				t.Errorf("another one acts, and it has ended: armed %v, %d pings before, late by %v; want it disarmed, in time", armed, pings, late)
			}
		})
	})
}

// TestWatchdogOfASuperseded has an instance fence that had authority once, and knows no end of what there may be: the machine is not
// reset by a deadline that is long past.
func TestWatchdogOfASuperseded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		shared := &testTerm{}
		first := w.regions["a"]
		first.instance, first.term = "1", shared
		first, dog := w.withDog()
		second := &region{world: w, name: "a", instance: "2", term: shared}
		second.start()
		defer second.kill()
		w.until(2 * time.Minute)
		first.freeze()
		w.until(2*time.Minute + 10*time.Second)
		first.thaw()
		w.until(2*time.Minute + 15*time.Second)
		dog.forgive()
		w.store.set(errors.New("down"))
		w.until(4 * time.Minute)
		if s := first.agent.Status(); s.State != lease.Follower || dog.Armed() {
			t.Fatalf("the first instance is %s, its watchdog armed: %v; want a follower, and no", s.State, dog.Armed())
		}
		first.set(func() { first.hangs = true })
		second.freeze()
		w.until(5 * time.Minute)
		if s := first.agent.Status(); s.State != lease.Fencing || s.Reason.Code != lease.ReasonElected {
			t.Fatalf("the first instance is %s (%s), want one that was elected, and fences", s.State, s.Reason.Code)
		}
		if armed, resets, _, late := dog.is(); !armed || late > 0 || resets <= w.now() {
			t.Errorf("armed %v, late by %v, resets the machine %v from now; want it armed, and pinged in time", armed, late, resets.Sub(w.now()))
		}
	})
}
