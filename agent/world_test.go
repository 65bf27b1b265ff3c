package agent_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/quorum"
)

// A world is what agents live in: one witness, and for each region a clock, a disk and a layer that
// can be made to misbehave. It runs in a synctest bubble, on its time.
type world struct {
	t       *testing.T
	begun   time.Time
	store   *store
	stores  []*store // of the witnesses, where there are several
	params  lease.Params
	keys    map[lease.Region]ed25519.PrivateKey
	regions map[lease.Region]*region

	mu    sync.Mutex
	lines []string // what happened, in order
}

// inWorld runs a test in a world of its own.
func inWorld(t *testing.T, test func(*testing.T, *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			t: t, begun: time.Now(), store: &store{values: map[string][]byte{}}, regions: map[lease.Region]*region{},
			keys: map[lease.Region]ed25519.PrivateKey{},
			params: lease.Params{
				Group: "g", Members: []lease.Region{"a", "b"},
				TTL: 30 * time.Second, RenewInterval: 10 * time.Second, RetryInterval: 2 * time.Second, PollInterval: 2 * time.Second,
				RequestTimeout: 5 * time.Second, FenceTimeout: 10 * time.Second, MaxClockDrift: 0.002,
			},
		}
		for i, m := range w.params.Members {
			w.keys[m] = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{byte(i + 1)}, ed25519.SeedSize))
			w.regions[m] = &region{world: w, name: m}
		}
		test(t, w)
		for _, r := range w.regions {
			r.kill()
			r.journal.replay(t, r.name)
		}
	})
}

// at is the time of the world: its boot clocks begin at an hour.
func (w *world) at(d time.Duration) lease.Instant { return lease.Instant(time.Hour + d) }

func (w *world) now() lease.Instant { return w.at(time.Since(w.begun)) }

// until lets time pass up to d.
func (w *world) until(d time.Duration) {
	time.Sleep(d - time.Since(w.begun))
	synctest.Wait()
}

// note adds a line to what happened: the time, to 0.1 s, the region, and what.
func (w *world) note(r lease.Region, format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, fmt.Sprintf("%.1f %s ", time.Since(w.begun).Seconds(), r)+fmt.Sprintf(format, args...))
}

// want compares all that happened since the last want. Of what happens at the same time, that of a comes first: the order
// between regions is not determined.
func (w *world) want(lines string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	slices.SortStableFunc(w.lines, func(x, y string) int {
		var t, u float64
		var r, q string
		fmt.Sscan(x, &t, &r)
		fmt.Sscan(y, &u, &q)
		return cmp.Or(cmp.Compare(t, u), cmp.Compare(r, q))
	})
	got := strings.Join(w.lines, "\n")
	w.lines = nil
	want := strings.ReplaceAll(strings.TrimSpace(lines), "\t", "")
	if got != want {
		w.t.Errorf("got:\n%s\nwant:\n%s\nlog:\n%s", got, want, w.logs())
	}
}

func (w *world) logs() string {
	var b strings.Builder
	for _, m := range w.params.Members {
		b.WriteString(w.regions[m].log.String())
	}
	return b.String()
}

// A region is one agent's machine, of several perhaps. Its fields are changed between steps of time.
type region struct {
	world *world
	name  lease.Region
	log   logBuffer

	instance string // its name, and what they share; empty: it has one
	term     *testTerm

	mu       sync.Mutex
	frozen   chan struct{} // the agent stands still until it is closed; nil: it does not
	boot     string
	saved    lease.Authority
	loadErr  error
	diskErr  error
	paused   time.Time
	drill    *audit.Drill
	diskTime time.Duration
	history  []lease.StateName
	lines    []byte            // of the history, with its details
	data     []layers.Position // of the layer
	layer    layers.State
	hangs    bool     // the layer, until its context ends
	behind   []string // what of the layer is
	refuses  string   // what keeps the layer from being active; empty: nothing
	deaf     bool     // no resolver answers it, nor brings it anything
	stubborn chan struct{}
	verdicts map[string]health.Verdict // of its probes, by kind; those that are not in it are well
	looking  time.Duration             // that a look of a probe takes
	readsOld time.Duration             // what it reads of the witness may be as old as that; not 0 at its start

	journal testJournal
	dog     *testWatchdog // nil: none

	notifier agent.Notifier // nil: nobody is told

	agent  *agent.Agent
	cancel context.CancelFunc
	done   chan struct{} // closed when Run has returned
	err    error
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start starts the region's agent.
func (r *region) start() {
	w := r.world
	w.t.Helper()
	public := map[lease.Region]ed25519.PublicKey{}
	for m, key := range w.keys {
		public[m] = key.Public().(ed25519.PublicKey)
	}
	stores := []*store{w.store}
	if len(w.stores) > 0 {
		stores = w.stores
	}
	var witnesses []agent.Witness
	for _, s := range stores {
		var as witness.Store = s
		if r.readsOld > 0 {
			as = &aged{store: s, by: r, got: map[string]answer{}}
		}
		wit, err := witness.New(as, witness.Config{
			Prefix: "failoverd", Group: "g", Region: r.name, Members: w.params.Members, PrivateKey: w.keys[r.name], PublicKeys: public,
		})
		if err != nil {
			w.t.Fatal(err)
		}
		witnesses = append(witnesses, wit)
	}
	params := w.params
	params.Region = r.name
	if r.saved.Safety == "" {
		r.saved.Safety = lease.SafetyHash(params.Safety())
	}
	var term agent.TermRegister
	if r.instance != "" {
		params.Instance, params.TermDuration, term = r.instance, 4*time.Second, r.term
	}
	of := agent.Config{
		Term:   term,
		Params: params, Version: "v1", Witnesses: witnesses, Quorum: (*testQuorum)(r), Layers: []layers.Layer{(*testLayer)(r)}, Disk: (*testDisk)(r), Journal: &r.journal,
		Health: health.Params{DegradedAfter: 30 * time.Second, RecoveredAfter: 5 * time.Minute}, Probes: r.probes(),
		Clock: (*testClock)(r), Log: hclog.New(&hclog.LoggerOptions{Name: string(r.name), Level: hclog.Debug, Output: &r.log}),
	}
	if r.dog != nil {
		of.Watchdog = r.dog
	}
	if r.notifier != nil {
		of.Notifier = r.notifier
	}
	made, err := agent.New(of)
	if err != nil {
		w.t.Fatal(err)
	}
	r.set(func() { r.agent = made })
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan struct{})
	go func() {
		defer close(r.done)
		r.err = made.Run(ctx)
	}()
	synctest.Wait()
}

// kill ends the agent, and lets nothing that it still does count.
func (r *region) kill() {
	if r.agent == nil {
		return
	}
	r.set(func() {
		r.hangs, r.diskErr = false, nil
		if r.stubborn != nil {
			close(r.stubborn)
			r.stubborn = nil
		}
	})
	r.thaw()
	r.cancel()
	<-r.done
	r.set(func() { r.agent = nil })
}

// set changes the region under its lock.
func (r *region) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *region) freeze() { r.set(func() { r.frozen = make(chan struct{}) }) }

func (r *region) thaw() {
	r.set(func() {
		if r.frozen != nil {
			close(r.frozen)
			r.frozen = nil
		}
	})
	synctest.Wait()
}

// get asks for one of the agent's pages.
func (r *region) get(path string) (int, string) {
	rec := httptest.NewRecorder()
	r.agent.Handler().ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
	body, _ := io.ReadAll(rec.Result().Body)
	return rec.Code, string(body)
}

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
