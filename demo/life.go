package demo

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// A life is what stands between an agent and the world, and is what faults are done to.
type life struct {
	effects sync.RWMutex // read-locked while something has an effect on the world
	ended   bool         // nothing has any more

	mu      sync.Mutex
	frozen  chan struct{} // closed unless the agent stands still
	linked  chan struct{} // closed unless it is cut off from the witness
	slowest measured
}

func newLife() *life {
	open := make(chan struct{})
	close(open)
	return &life{frozen: open, linked: open}
}

// end is the end of the process: what is under way has its effect, what would follow
// has none.
func (l *life) end() {
	l.effects.Lock()
	l.ended = true
	l.effects.Unlock()
	l.thaw() // so that its goroutines can end
	l.heal()
}

// effect does something to the world, if the life has not ended, and once it is not frozen: what a
// stopped process was about to do, it does late. Of a life that has ended it says that all went
// well: that way the agent comes to its end by itself.
func (l *life) effect(do func() error) error {
	<-l.gate(&l.frozen)
	l.effects.RLock()
	defer l.effects.RUnlock()
	if l.ended {
		return nil
	}
	return do()
}

func (l *life) freeze() { l.close(&l.frozen) }
func (l *life) thaw()   { l.open(&l.frozen) }
func (l *life) cut()    { l.close(&l.linked) }
func (l *life) heal()   { l.open(&l.linked) }

func (l *life) close(gate *chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	*gate = make(chan struct{})
}

func (l *life) open(gate *chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-*gate:
	default:
		close(*gate)
	}
}

func (l *life) gate(gate *chan struct{}) <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return *gate
}

// note notes how long something took.
func (l *life) note(m measured) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slowest = l.slowest.longer(m)
}

// take returns what was noted since it was called last.
func (l *life) take() measured {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.slowest
	l.slowest = measured{}
	return m
}

// handler answers nothing while the agent is frozen: connections are accepted, as the
// kernel does for a stopped process.
func (l *life) handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-l.gate(&l.frozen):
			next.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
}

// A clock that can't be read stops an agent in its tracks: it takes no step without it.
// Time goes on meanwhile, as for a stopped process.
type clock struct {
	agent.BootClock
	life *life
}

func (c clock) Now() lease.Instant {
	<-c.life.gate(&c.life.frozen)
	return c.BootClock.Now()
}

// A link is the way to the witness. When it is cut, requests hang, as they do when a network
// is at fault.
type link struct {
	store witness.Store
	life  *life
}

func (l link) Put(ctx context.Context, key string, value []byte) error {
	return l.request(ctx, "put", key, func() error { return l.store.Put(ctx, key, value) })
}

func (l link) Get(ctx context.Context, key string) (value []byte, err error) {
	err = l.request(ctx, "get", key, func() error {
		value, err = l.store.Get(ctx, key)
		return err
	})
	return value, err
}

func (l link) request(ctx context.Context, op, key string, do func() error) error {
	select {
	case <-l.life.gate(&l.life.linked):
	case <-ctx.Done():
		return witness.Interrupted(ctx, op, key)
	}
	return l.life.effect(func() error {
		begun := time.Now()
		err := do()
		l.life.note(measured{roundTrip: time.Since(begun)})
		return err
	})
}

// disk is the state directory of a life.
type disk struct {
	dir  *statedir.Dir
	life *life
}

func (d disk) LoadAuthority() (lease.Authority, error) { return d.dir.LoadAuthority() }

func (d disk) SaveAuthority(a lease.Authority) error {
	return d.life.effect(func() error {
		begun := time.Now()
		err := d.dir.SaveAuthority(a)
		d.life.note(measured{save: time.Since(begun)})
		return err
	})
}

func (d disk) AppendHistory(e statedir.Entry) error {
	return d.life.effect(func() error { return d.dir.AppendHistory(e) })
}

// layer is the service, as the agent's layer.
type layer struct {
	service *service
	life    *life
}

func (l layer) Name() string { return "service" }

func (l layer) Tier() layers.Tier { return layers.Custom }

func (l layer) Activate(_ context.Context, o layers.Order) error {
	return l.life.effect(func() error { l.service.epoch.Store(o.Epoch); return nil })
}

func (l layer) Fence(context.Context, layers.Order) error {
	return l.life.effect(func() error { l.service.epoch.Store(0); return nil })
}

func (l layer) Observe(context.Context) (layers.State, error) {
	if l.service.epoch.Load() > 0 {
		return layers.Active, nil
	}
	return layers.Inactive, nil
}
