package applier

import (
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// An Event is something that the applier reports.
type Event interface{ event() }

// Done says that the order with this ID has been carried out on every layer.
type Done struct {
	ID     lease.ActionID
	Action layers.Action // Fence or Activate
}

// An Outcome is how an attempt ended.
type Outcome string

const (
	Succeeded  Outcome = "succeeded"  // the effect is there; also where it came just too late for the order
	Failed     Outcome = "failed"     // tried again while the order stands
	TimedOut   Outcome = "timed_out"  // called off at its deadline; tried again while the order stands
	Superseded Outcome = "superseded" // called off for a newer order, or by Close
)

// An Attempt is one attempt on one layer, reported when it has ended.
type Attempt struct {
	ID       lease.ActionID // of the order that it was made for
	Layer    string
	Action   layers.Action
	Outcome  Outcome
	Duration time.Duration
	Err      error // nil exactly if it succeeded
}

// A LayerState says what a layer has become, by the attempts made on it: Unknown
// from the beginning of an attempt that changes it until one has succeeded. It
// is reported when it changes; every layer begins as Unknown.
type LayerState struct {
	Layer string
	State layers.State
}

func (Done) event()       {}
func (Attempt) event()    {}
func (LayerState) event() {}
