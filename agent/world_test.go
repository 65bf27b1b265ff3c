package agent_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ed25519"
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
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
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

	mu        sync.Mutex
	frozen    chan struct{} // the agent stands still until it is closed; nil: it does not
	boot      string
	saved     lease.Authority
	loadErr   error
	diskErr   error
	paused    time.Time
	slowPause chan struct{} // a pause is on disk when it is closed; nil: at once
	drill     *audit.Drill
	diskTime  time.Duration
	history   []lease.StateName
	lines     []byte            // of the history, with its details
	data      []layers.Position // of the layer
	layer     layers.State
	hangs     bool     // the layer, until its context ends
	behind    []string // what of the layer is
	refuses   string   // what keeps the layer from being active; empty: nothing
	deaf      bool     // no resolver answers it, nor brings it anything
	stubborn  chan struct{}
	verdicts  map[string]health.Verdict // of its probes, by kind; those that are not in it are well
	looking   time.Duration             // that a look of a probe takes
	readsOld  time.Duration             // what it reads of the witness may be as old as that; not 0 at its start

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
