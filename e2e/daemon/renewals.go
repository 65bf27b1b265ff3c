package daemon

import (
	"net/http"
	"slices"
	"sync"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/lease"
)

// Renewals are the flags of an active region that the witness has acknowledged, in the order of the answers: what the region's authority
// rests on, whatever its agent says of it. The zero value is none.
type Renewals struct {
	mu  sync.Mutex
	all []Renewal
}

// A Renewal gives authority from its sending on, which is no later than its arrival (docs/protocol.md §2).
type Renewal struct {
	Arrived, Answered lease.Instant
	Epoch, Term       uint64
}

// Watch is told of the requests of the region, by [kvserver.Link.Watch].
func (r *Renewals) Watch(req kvserver.Request) func(status int) {
	flag, _, ok := FlagIn(req)
	if !ok {
		return nil
	}
	renewal := Renewal{Arrived: bootclock.Clock{}.Now(), Epoch: flag.Epoch, Term: flag.Term}
	return func(status int) {
		if status != http.StatusOK || flag.State != lease.FlagActive {
			return
		}
		renewal.Answered = bootclock.Clock{}.Now()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.all = append(r.all, renewal)
	}
}

// All are those so far.
func (r *Renewals) All() []Renewal {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.all)
}
