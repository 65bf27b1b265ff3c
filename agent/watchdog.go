package agent

import (
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Watchdog resets this machine, with the layers that are on it, when it is armed and has not been pinged for its timeout (package
// watchdog). No method blocks.
type Watchdog interface {
	Arm() error
	Ping() error
	Disarm() error
	Armed() bool // from the start on, if an agent before this one may have left it so
	Timeout() time.Duration
}

// pingEvery is how often it is looked after, beside each step.
func pingEvery(w Watchdog) time.Duration { return w.Timeout() / 4 }

// feed looks after the watchdog: it is armed from when this instance holds authority, or does not know what its layers are, until
// they are inactive or another instance sees to them.
//
// It is pinged only if it would reset the machine by the end of the authority that stands. So whatever keeps the loop from turning, or
// the layers from being fenced in time, layers on this machine do not outlive authority (§2), but for an agent that is started
// when less than the timeout is left of it: armed late is better than not at all.
//
// What was left armed stays so while nobody is known to see to the layers: disarmed, nothing would end them if this instance
// never hears who does. Up to the end of the authority that was found on disk there is time to hear it.
func (a *Agent) feed() {
	w, d := a.cfg.Watchdog, a.decision
	if w == nil {
		return
	}
	wanted, deadline := d.State == lease.Active || d.State == lease.Fencing && !d.LayersFenced, d.Deadline
	if a.keepsArmed() {
		wanted, deadline = true, a.found.Deadline
	}
	var err error
	switch {
	case wanted && !a.armed:
		err = w.Arm()
		a.armed = err == nil
	case !wanted && a.armed:
		err = w.Disarm()
		a.armed = false
	case a.armed && (deadline == 0 || a.cfg.Clock.Now().Add(w.Timeout()) <= deadline):
		err = w.Ping()
	case !wanted:
		delete(a.trouble, opWatchdog) // it need not be armed any more
		return
	default:
		return
	}
	a.noteTrouble(opWatchdog, err)
}

// keepsArmed reports whether the watchdog is as an agent before this one has left it, and this one has not heard yet who acts for
// the region: its authority stands, and so its layers may be active.
func (a *Agent) keepsArmed() bool {
	d := a.decision
	return a.armed && d.State == lease.Follower && d.Reason == lease.ReasonStarting && (d.Leader == "" || d.Leader == a.cfg.Params.Instance)
}
