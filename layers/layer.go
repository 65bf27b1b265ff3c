package layers

import (
	"context"

	"github.com/openova-io/failoverd/lease"
)

// An Action is what a layer is asked to do.
type Action string

const (
	Activate Action = "activate"
	Fence    Action = "fence"
	Observe  Action = "observe"
)

// An Order is what every attempt to activate or to fence is told.
type Order struct {
	Group  string
	Region lease.Region // the region that the layer belongs to
	Epoch  uint64       // of the authority that the order is given under, or that ends by it; 0 for a fence without one
	Term   uint64       // of the instance that gives it; 0 in a region of one
	Reason lease.ReasonCode
}

// A Layer is one thing that is active or inactive in this region.
//
// The end of ctx is the deadline of the attempt, or says that a newer order has
// taken its place. ctx.Deadline is the deadline as known when the attempt
// began; it may be moved on meanwhile, so only the end of ctx ends the attempt.
//
// The caller never runs Activate and Fence of one layer at the same time. It
// may run Observe at any time.
type Layer interface {
	// Name is the layer's name in logs, metrics and configuration. It is unique
	// in a region and never changes.
	Name() string

	// Tier is the layer's place between the data and the outside.
	Tier() Tier

	// Activate makes one attempt to make the layer active. Nil means that the
	// effect is there, not that it was asked for. It is idempotent: on a layer
	// that is active already it changes nothing and returns nil, and it goes on
	// where an attempt that was cut short left off.
	//
	// When it has returned, nothing that it began may still take effect: a fence
	// that follows would be undone by it. So when ctx ends it stops what it began,
	// and returns only once that has ended. A layer that keeps an epoch with the
	// effect refuses an order whose epoch is below it.
	Activate(context.Context, Order) error

	// Fence makes one attempt to make the layer inactive, under the same
	// guarantees. An attempt that is cut short leaves the layer fenced or as it
	// was, never more active.
	Fence(context.Context, Order) error

	// Observe says what the layer is, and changes nothing. It looks at the effect
	// itself, not at what was last ordered. Unknown with a nil error means that
	// this layer can't be observed; with an error, that it could not be this time.
	Observe(context.Context) (State, error)
}

// A Checker is a layer that can tell beforehand whether its surroundings are as it
// needs them: it returns an error that says what is not, and changes nothing.
type Checker interface {
	Layer
	Check(ctx context.Context) error
}

// A Finder is a layer that can tell what of its objects an operator should know before a
// failover finds it out. It looks at all of them, and changes nothing.
type Finder interface {
	Layer
	Findings(context.Context) ([]Finding, error)
}

// A Follower is a layer whose data follows that of another region.
type Follower interface {
	Layer
	// Behind names what is so far behind that it would not be made active now, or only
	// with a loss; none if nothing is. It says what was found last, and does not block.
	Behind() []string
}

// A Bearer is a layer that bears data, which is at stake when another region becomes active.
type Bearer interface {
	Layer
	// Positions says of each of its objects how far its data had come when the last attempt to activate, or
	// to fence, was made; none where that is not known. It does not block.
	Positions(Action) []Position
}

// A Watcher is a layer that notices when what it acts on is changed by others, so
// that the caller can keep the effect there.
type Watcher interface {
	Layer
	// Watch calls changed each time that the effect of the last order that returned
	// nil may be gone, until ctx ends. changed does not block, and may be called by
	// any goroutine.
	Watch(ctx context.Context, changed func())
}
