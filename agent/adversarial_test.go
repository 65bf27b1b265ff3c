package agent_test

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv/kvtest"
)

// awaitLimit ends a test that hangs. It measures nothing.
const awaitLimit = 5 * time.Minute

// kvRegion is a region on a real clock, disk and network, with an adversarial Cloudflare KV as its witness.
type kvRegion struct {
	t      *testing.T
	server *kvtest.Server
	params lease.Params
	keys   map[lease.Region]ed25519.PrivateKey
	dir    string
	log    logBuffer
	layer  spanLayer

	agent  *agent.Agent
	cancel context.CancelFunc
	done   chan error
}

func kvParams() lease.Params {
	return lease.Params{
		Group: "g", Members: []lease.Region{"a", "b", "c"},
		TTL: 2 * time.Second, RenewInterval: 500 * time.Millisecond, RetryInterval: 200 * time.Millisecond,
		PollInterval: 150 * time.Millisecond, RequestTimeout: 300 * time.Millisecond, FenceTimeout: 300 * time.Millisecond,
		MaxClockDrift: 0.002, Staleness: 600 * time.Millisecond,
	}
}

// newKVRegions starts a server, and the members of a group that have it as their witness.
func newKVRegions(t *testing.T, seed uint64, faults kvtest.Faults) (*kvtest.Server, []*kvRegion) {
	params := kvParams()
	var tokens []string
	keys := map[lease.Region]ed25519.PrivateKey{}
	for i, m := range params.Members {
		tokens = append(tokens, string(m))
		keys[m] = ed25519.NewKeyFromSeed(slices.Repeat([]byte{byte(i)}, ed25519.SeedSize))
	}
	server := kvtest.New(kvtest.Options{Tokens: tokens, Seed: seed, Faults: faults})
	t.Cleanup(server.Close)
	var regions []*kvRegion
	for _, m := range params.Members {
		p := params
		p.Region = m
		regions = append(regions, &kvRegion{t: t, server: server, params: p, keys: keys, dir: t.TempDir()})
	}
	t.Cleanup(func() {
		for _, r := range regions {
			r.stop()
			if t.Failed() {
				t.Logf("%s:\n%s", r.params.Region, r.log.String())
			}
		}
	})
	for _, r := range regions {
		r.start()
	}
	return server, regions
}

func (r *kvRegion) start() {
	r.t.Helper()
	must := func(err error) {
		if err != nil {
			r.t.Fatalf("start %s: %v", r.params.Region, err)
		}
	}
	store, err := cloudflarekv.New(cloudflarekv.Config{
		AccountID: kvtest.AccountID, NamespaceID: kvtest.NamespaceID, Token: string(r.params.Region), BaseURL: r.server.URL,
	})
	must(err)
	public := map[lease.Region]ed25519.PublicKey{}
	for m, key := range r.keys {
		public[m] = key.Public().(ed25519.PublicKey)
	}
	w, err := witness.New(store, witness.Config{
		Prefix: "failoverd", Group: "g", Region: r.params.Region, Members: r.params.Members,
		PrivateKey: r.keys[r.params.Region], PublicKeys: public,
	})
	must(err)
	dir, err := statedir.Open(r.dir)
	must(err)
	r.agent, err = agent.New(agent.Config{
		Params: r.params, Version: "v1", Witnesses: []agent.Witness{w}, Layers: []layers.Layer{&r.layer}, Disk: dir, Clock: agent.BootClock{},
		Log: hclog.New(&hclog.LoggerOptions{Name: string(r.params.Region), Level: hclog.Info, Output: &r.log}),
	})
	must(err)
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel, r.done = cancel, make(chan error, 1)
	go func() {
		err := r.agent.Run(ctx)
		dir.Close()
		r.done <- err
	}()
}

// stop asks the agent to stop and waits until it has.
func (r *kvRegion) stop() {
	r.t.Helper()
	if r.agent == nil {
		return
	}
	r.cancel()
	if err := <-r.done; err != nil {
		r.t.Errorf("stop %s: %v", r.params.Region, err)
	}
	r.agent = nil
}

// A spanLayer writes down when it was active.
type spanLayer struct {
	mu    sync.Mutex
	spans []span
}

// A span is a time: from the begin of an activation to the end of the fence after it, on the clock that all share here.
type span struct{ from, to lease.Instant }

func (l *spanLayer) Name() string { return "span" }

func (l *spanLayer) Tier() layers.Tier { return layers.Custom }

func (l *spanLayer) Activate(context.Context, layers.Order) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.spans); n == 0 || l.spans[n-1].to != lease.Never {
		l.spans = append(l.spans, span{bootclock.Clock{}.Now(), lease.Never})
	}
	return nil
}

func (l *spanLayer) Fence(context.Context, layers.Order) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := len(l.spans); n > 0 && l.spans[n-1].to == lease.Never {
		l.spans[n-1].to = bootclock.Clock{}.Now()
	}
	return nil
}

func (l *spanLayer) Observe(context.Context) (layers.State, error) { return layers.Unknown, nil }

func (l *spanLayer) all() []span {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.spans)
}

// await waits until a condition holds.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(awaitLimit)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("waited %v in vain: %s", awaitLimit, what)
		}
	}
}

// TestAdversarialKV has three agents share a lease in a store that is stale up to the declared bound and fails in every way
// that Workers KV can, and now and then fails one region, the active one mostly, in all. Two are never active at once.
func TestAdversarialKV(t *testing.T) {
	const seed, takeovers = 1, 6
	random := rand.New(rand.NewPCG(seed, 0))
	nasty := kvtest.Faults{
		Hang: 0.03, RateLimited: 0.03, ServerError: 0.05, SuccessFalse: 0.03, LoseAnswer: 0.05, Cut: 0.05, ApplyFailed: 0.5,
		Late: 0.05, LateMin: 300 * time.Millisecond, LateMax: 5 * time.Second,
		Staleness: kvParams().Staleness, Caches: 2,
	}
	server, regions := newKVRegions(t, seed, nasty)
	active := func() *kvRegion {
		for _, r := range regions {
			if r.agent != nil && r.agent.Status().Authority {
				return r
			}
		}
		return nil
	}
	done := map[string]int{}
	for range takeovers {
		await(t, "some region is active", func() bool { return active() != nil })
		victim := active()
		if victim == nil { // it has lost its lease meanwhile
			victim = regions[random.IntN(len(regions))]
		}
		kinds := []struct {
			name  string
			worse func(*kvtest.Faults)
		}{
			{"all hangs", func(f *kvtest.Faults) { f.Hang = 1 }},
			{"all is refused with 5xx", func(f *kvtest.Faults) { f.ServerError = 1 }},
			{"all writes are late", func(f *kvtest.Faults) { f.Late = 1 }},
			{"all answers are cut", func(f *kvtest.Faults) { f.Cut = 1 }},
			{"rate limited", func(f *kvtest.Faults) { f.RateLimited, f.RetryAfter = 1, time.Second }},
			{"agent stopped and started", nil},
		}
		kind := kinds[random.IntN(len(kinds))]
		done[kind.name]++
		if kind.worse == nil {
			victim.stop()
		} else {
			worse := nasty
			kind.worse(&worse)
			server.SetFaults(string(victim.params.Region), worse)
		}
		await(t, "another region is active", func() bool { now := active(); return now != nil && now != victim })
		server.SetFaults(string(victim.params.Region), nasty)
		if victim.agent == nil {
			victim.start()
		}
	}
	for _, r := range regions {
		r.stop()
	}
	var activations, overlaps int
	for i, r := range regions {
		mine := r.layer.all()
		activations += len(mine)
		for _, other := range regions[i+1:] {
			for _, x := range mine {
				for _, y := range other.layer.all() {
					if from, to := max(x.from, y.from), min(x.to, y.to); from < to {
						overlaps++
						t.Errorf("%s and %s were active at once for %v", r.params.Region, other.params.Region, to.Sub(from))
					}
				}
			}
		}
	}
	var requests []string
	for _, r := range regions {
		c := server.Counts(string(r.params.Region))
		requests = append(requests, fmt.Sprintf("%s %d puts, %d gets", r.params.Region, c.Puts, c.Gets))
	}
	t.Logf("seed %d: %v; %d activations, %d overlaps; %s", seed, done, activations, overlaps, strings.Join(requests, "; "))
	if activations < takeovers {
		t.Errorf("there were %d activations, want at least %d: this has shown nothing", activations, takeovers)
	}
}

// TestStalerThanDeclared gives one region reads that are far staler than the bound. It notices, by reading its own flag back; it
// says so in its log, once, in its status and to Prometheus; and it does not take by such a read.
func TestStalerThanDeclared(t *testing.T) {
	_, regions := newKVRegions(t, 1, kvtest.Faults{Staleness: 20 * time.Second})
	a := regions[0]
	var status agent.Status
	await(t, "the region notices", func() bool {
		status = a.agent.Status()
		return len(status.Alarms) > 0 && status.Alarms[0].Code == lease.NoticeWitnessStale
	})
	if status.State == lease.Active {
		t.Error("it is active, by a read that told nothing")
	}
	for _, g := range status.Gates {
		if g.Code == lease.GateReadBack && g.Open {
			t.Error("the gate of the read-back is open")
		}
	}
	if alarm := status.Alarms[0]; alarm.Severity != lease.Critical || alarm.Remedy == "" || !strings.Contains(alarm.Detail, "the bound is 600ms") {
		t.Errorf("it says %+v, want what is wrong, how far, and what to do", alarm)
	}
	if status.Witness.ObservedStaleness <= status.Witness.Staleness {
		t.Errorf("it has observed %g s, and the bound is %g s", status.Witness.ObservedStaleness, status.Witness.Staleness)
	}
	t.Logf("%s: %s: %s", status.Alarms[0].Code, status.Alarms[0].Title, status.Alarms[0].Detail)
	for _, r := range regions {
		r.stop()
	}
	if n := strings.Count(a.log.String(), lease.ReasonOf(lease.NoticeWitnessStale).Title); n != 1 {
		t.Errorf("the log says so %d times, want once:\n%s", n, a.log.String())
	}
}
