package applier

import (
	"context"
	"errors"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

var (
	errSuperseded = errors.New("a newer order has taken its place")
	errClosed     = errors.New("failoverd stops")
	errOverdue    = errors.New("its deadline has passed")
)

// An attempt is one call of a layer's Fence or Activate that has not returned,
// or not been looked at yet.
type attempt struct {
	worker *worker
	order  *order
	begun  lease.Instant
	limit  lease.Instant // for a fence; an activation's moves with its order's deadline
	cancel context.CancelCauseFunc
	called error // why it was called off; nil: it was not
}

// end is the instant at which the attempt is called off.
func (a *attempt) end() lease.Instant {
	if a.order.action == layers.Activate {
		return activateLimit(a.begun, a.order.deadline)
	}
	return a.limit
}

// callOff ends the attempt's context. It is over only when the layer returns.
func (a *attempt) callOff(cause error) {
	if a.called == nil {
		a.called = cause
		a.cancel(cause)
	}
}

// outcome is what a return of the layer amounts to.
func (a *attempt) outcome(err error) Outcome {
	switch {
	case err == nil:
		return Succeeded
	case a.called == nil:
		return Failed
	case a.called == errOverdue:
		return TimedOut
	}
	return Superseded
}

// attemptContext is a context that tells a deadline without counting it: Go's
// timers stand still in suspend, so the applier itself ends the context, by its
// own clock.
type attemptContext struct {
	context.Context
	deadline time.Time
}

// Deadline is the attempt's deadline as known when it began.
func (c attemptContext) Deadline() (time.Time, bool) { return c.deadline, true }
