package demo

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// A life is what stands between an agent and the world, and is what faults are done to.
type life struct {
	effects sync.RWMutex // read-locked while something has an effect on the world
	ended   bool         // nothing has any more

	running *gate // shut while the agent stands still
	linked  *gate // shut while it is cut off from the witness
	routed  *gate // shut while it is cut off from everything else

	mu      sync.Mutex
	slowest measured
}

func newLife() *life { return &life{running: newGate(), linked: newGate(), routed: newGate()} }

// end is the end of the process: what is under way has its effect, what would follow
// has none.
func (l *life) end() {
	l.effects.Lock()
	l.ended = true
	l.effects.Unlock()
	for _, g := range []*gate{l.running, l.linked, l.routed} {
		g.reopen() // so that its goroutines can end
	}
}

// effect does something to the world, if the life has not ended, and once it is not frozen: what a
// stopped process was about to do, it does late. Of a life that has ended it says that all went
// well: that way the agent comes to its end by itself.
func (l *life) effect(do func() error) error {
	<-l.running.passed()
	l.effects.RLock()
	defer l.effects.RUnlock()
	if l.ended {
		return nil
	}
	return do()
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
		case <-l.running.passed():
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
	<-c.life.running.passed()
	return c.BootClock.Now()
}

// errKilled is what an agent gets that was killed, where it wants to know something.
var errKilled = errors.New("the agent has been killed")

// A link is the way to the witness. When it is cut, or the witness is down, requests hang, as they do
// when a network is at fault.
type link struct {
	store   witness.Store
	witness *gate // shut while the witness is down, for everyone
	life    *life
}

func (l link) Put(ctx context.Context, key string, value []byte) error {
	return l.request(ctx, "put", key, func() error { return l.store.Put(ctx, key, value) })
}

func (l link) Get(ctx context.Context, key string) ([]byte, error) {
	value, err := []byte(nil), errKilled
	if unsent := l.request(ctx, "get", key, func() error {
		value, err = l.store.Get(ctx, key)
		return nil
	}); unsent != nil {
		return nil, unsent
	}
	return value, err
}

func (l link) request(ctx context.Context, op, key string, do func() error) error {
	for _, g := range []*gate{l.life.linked, l.witness} {
		select {
		case <-g.passed():
		case <-ctx.Done():
			return witness.Interrupted(ctx, op, key)
		}
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
func (d disk) LoadPause() (time.Time, error)           { return d.dir.LoadPause() }

func (d disk) SavePause(until time.Time) error {
	return d.life.effect(func() error { return d.dir.SavePause(until) })
}

func (d disk) LoadDrill() (*audit.Drill, error) { return d.dir.LoadDrill() }

func (d disk) SaveDrill(of audit.Drill) error {
	return d.life.effect(func() error { return d.dir.SaveDrill(of) })
}

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

func (d disk) AppendDetail(of statedir.Detail) error {
	return d.life.effect(func() error { return d.dir.AppendDetail(of) })
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
