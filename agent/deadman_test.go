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
