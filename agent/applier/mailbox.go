package applier

import (
	"slices"
	"sync"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// An order is a Fence or an Activate.
type order struct {
	id       lease.ActionID
	action   layers.Action
	deadline lease.Instant
	epoch    uint64
	term     uint64
	reason   lease.ReasonCode
	stages   []layers.Stage // in which layers are acted on, as layers.Plan says
	begun    int            // how many of them have begun
	next     lease.Instant  // a fence: the next one begins, whatever became of those before
}

// A mailbox holds what was ordered since the applier looked last. Only the
// newest order counts, so it is no queue and putting something in never blocks.
type mailbox struct {
	wake chan struct{} // has something while the mailbox may be full

	mu       sync.Mutex
	order    *order
	stood    bool  // down, before that order
	changed  []int // layers whose effect may be gone
	extended bool
	deadline lease.Instant // if extended: of the order that was there before
	closed   bool
}

func (m *mailbox) put(change func()) {
	m.mu.Lock()
	change()
	m.mu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

func (m *mailbox) putOrder(o order) {
	m.put(func() { m.order, m.extended = &o, false })
}

func (m *mailbox) putStandDown() {
	m.put(func() { m.order, m.extended, m.stood = nil, false, true })
}

func (m *mailbox) putExtend(deadline lease.Instant) {
	m.put(func() {
		switch {
		case m.order == nil:
			m.extended, m.deadline = true, deadline
		case m.order.action == layers.Activate:
			m.order.deadline = deadline
		}
	})
}

func (m *mailbox) putChanged(layer int) {
	m.put(func() {
		if !slices.Contains(m.changed, layer) {
			m.changed = append(m.changed, layer)
		}
	})
}

func (m *mailbox) putClose() { m.put(func() { m.closed = true }) }

// contents are what take found.
type contents struct {
	order    *order // nil: none
	stood    bool
	changed  []int
	extended bool
	deadline lease.Instant
	closed   bool
}

func (m *mailbox) take() contents {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := contents{m.order, m.stood, m.changed, m.extended, m.deadline, m.closed}
	m.order, m.stood, m.changed, m.extended = nil, false, nil, false
	return c
}
