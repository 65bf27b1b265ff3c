package agent_test

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// testClock is the region's boot clock.
type testClock region

func (c *testClock) Now() lease.Instant {
	c.mu.Lock()
	frozen := c.frozen
	c.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
	return c.world.now()
}

func (c *testClock) BootID() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return "boot" + c.boot, nil
}

func (c *testClock) NewTimer() (agent.Timer, error) {
	return &testTimer{world: c.world, c: make(chan struct{}, 1)}, nil
}

// testTimer fires once too often now and then: at each Set.
type testTimer struct {
	world *world
	c     chan struct{}

	mu    sync.Mutex
	timer *time.Timer
}

func (t *testTimer) Set(at lease.Instant) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
	}
	if at != lease.Never {
		t.timer = time.AfterFunc(at.Sub(t.world.now()), func() {
			select {
			case t.c <- struct{}{}:
			default:
			}
		})
	}
}

func (t *testTimer) C() <-chan struct{} { return t.c }
func (t *testTimer) Close() error       { t.Set(lease.Never); return nil }

// testQuorum is how the region asks others: 0.05 s through three resolvers.
type testQuorum region

func (q *testQuorum) isDeaf() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.deaf
}

func (q *testQuorum) CutOff(context.Context) bool { return q.isDeaf() }

func (q *testQuorum) Ask(ctx context.Context, to lease.Region, what lease.Question, counted func(quorum.Verdict)) (quorum.Verdict, error) {
	ballots := []quorum.Ballot{{Resolver: "one"}, {Resolver: "two"}, {Resolver: "three"}}
	other := q.world.regions[to]
	var there *agent.Agent
	other.set(func() { there = other.agent })
	answer, err := quorum.Answer{}, errors.New("nobody there")
	if there != nil && !q.isDeaf() && !(*testQuorum)(other).isDeaf() {
		time.Sleep(50 * time.Millisecond)
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		answer, err = there.Answer(ctx, quorum.Question{Question: what, Asker: q.name, To: to})
	}
	for i := range ballots {
		ballots[i].Outcome, ballots[i].Answer = quorum.Agreed, answer
		if err != nil {
			ballots[i].Outcome = quorum.Silent
		}
	}
	verdict := quorum.Count(2, ballots)
	counted(verdict)
	return verdict, nil
}

// testDisk is the region's state directory.
type testDisk region

var errFull = errors.New("no space left on device")

func (d *testDisk) LoadAuthority() (lease.Authority, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.saved, d.loadErr
}

func (d *testDisk) SaveAuthority(a lease.Authority) error {
	d.mu.Lock()
	pause := d.diskTime
	d.mu.Unlock()
	time.Sleep(pause)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.diskErr != nil {
		return d.diskErr
	}
	d.saved = a
	d.world.note(d.name, "saved %d until %.1f", a.Epoch, a.Deadline.Sub(d.world.at(0)).Seconds())
	return nil
}

func (d *testDisk) LoadPause() (time.Time, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.paused, nil
}

func (d *testDisk) SavePause(until time.Time) error {
	d.mu.Lock()
	slow := d.slowPause
	d.mu.Unlock()
	if slow != nil && !until.IsZero() {
		<-slow
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.paused = until
	return nil
}

func (d *testDisk) LoadDrill() (*audit.Drill, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.drill, nil
}

func (d *testDisk) SaveDrill(of audit.Drill) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.diskErr != nil {
		return d.diskErr
	}
	d.drill = &of
	return nil
}

func (d *testDisk) AppendHistory(e statedir.Entry) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.diskErr != nil {
		return d.diskErr
	}
	d.history = append(d.history, e.To)
	d.line(e)
	return nil
}

func (d *testDisk) AppendDetail(of statedir.Detail) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.diskErr != nil {
		return d.diskErr
	}
	d.line(of)
	return nil
}

func (d *testDisk) line(of any) {
	b, err := json.Marshal(of)
	if err != nil {
		d.world.t.Error(err)
	}
	d.lines = append(append(d.lines, b...), '\n')
}

// testLayer is the region's layer.
type testLayer region

func (l *testLayer) Name() string { return "test" }

func (l *testLayer) Tier() layers.Tier { return layers.Custom }

func (l *testLayer) Activate(ctx context.Context, o layers.Order) error {
	return l.apply(ctx, layers.Active, o)
}

func (l *testLayer) Fence(ctx context.Context, o layers.Order) error {
	return l.apply(ctx, layers.Inactive, o)
}

func (l *testLayer) Observe(context.Context) (layers.State, error) { return l.layer, nil }

func (l *testLayer) Behind() (what []string) {
	(*region)(l).set(func() { what = l.behind })
	return what
}

func (l *testLayer) Positions(layers.Action) (data []layers.Position) {
	(*region)(l).set(func() { data = l.data })
	return data
}

func (l *testLayer) apply(ctx context.Context, to layers.State, o layers.Order) error {
	l.mu.Lock()
	hangs := l.hangs
	stubborn := l.stubborn
	l.mu.Unlock()
	if stubborn != nil {
		<-stubborn
	}
	if hangs {
		<-ctx.Done()
		return ctx.Err()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if to == layers.Active && l.refuses != "" {
		return errors.New(l.refuses)
	}
	if l.layer != to {
		l.world.note(l.name, "layer %s, epoch %d", to, o.Epoch)
	}
	l.layer = to
	return nil
}
