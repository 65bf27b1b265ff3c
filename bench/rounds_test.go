package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// What a fake system does. All of it takes as long as is said here, by the bubble's clock.
const (
	fakeTTL    = 30 * time.Second
	fakeRenew  = 10 * time.Second
	fakeFenced = 20 * time.Second // a holder that is cut off stops acting so long after
	fakeTakes  = 32 * time.Second // ... and another one acts so long after the fault
	fakeThaws  = time.Second      // a holder that was frozen stops acting so long after it goes on
)

// A fakeGroup is a system that does what it is meant to, but for what its fields say.
type fakeGroup struct {
	now         func() lease.Instant
	nobody      bool          // takes over
	early       time.Duration // by how much sooner another node takes when the holder is cut off
	unsupported error         // of Switchover and StopStore

	mu    sync.Mutex
	nodes []*fakeNode
}

type fakeNode struct {
	group  *fakeGroup
	number int
	acts   []Span // To is 0 while it lasts
	gone   bool
	events []string
}

func newFakeGroup(now func() lease.Instant) *fakeGroup {
	g := &fakeGroup{now: now}
	for i := range 3 {
		g.nodes = append(g.nodes, &fakeNode{group: g, number: i})
	}
	g.nodes[0].begin()
	return g
}

func (g *fakeGroup) Nodes() (all []Node) {
	for _, n := range g.nodes {
		all = append(all, n)
	}
	return all
}

// after does something later, if it is not undone by then, in which case it is not.
func (g *fakeGroup) after(wait time.Duration, do func()) {
	time.AfterFunc(wait, func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		do()
	})
}

func (n *fakeNode) acting() bool { return len(n.acts) > 0 && n.acts[len(n.acts)-1].To == 0 }

func (n *fakeNode) begin() {
	if !n.acting() {
		n.acts = append(n.acts, Span{From: n.group.now()})
	}
}

func (n *fakeNode) end() {
	if n.acting() {
		n.acts[len(n.acts)-1].To = n.group.now()
	}
}

// taken has the next node act, after a while.
func (n *fakeNode) taken(wait time.Duration) {
	if !n.group.nobody {
		n.group.after(wait, func() { n.group.nodes[(n.number+1)%3].begin() })
	}
}

func (n *fakeNode) do(what string, do func()) {
	n.group.mu.Lock()
	defer n.group.mu.Unlock()
	n.events = append(n.events, what)
	do()
}

func (n *fakeNode) Name() string { return fmt.Sprintf("n%d", n.number) }

func (n *fakeNode) Kill() {
	n.do("kill", func() {
		n.gone = true
		n.end()
		n.taken(fakeTakes)
	})
}

func (n *fakeNode) Start()  { n.do("start", func() { n.gone = false }) }
func (n *fakeNode) Freeze() { n.do("freeze", func() { n.gone = true; n.taken(fakeTakes) }) }

func (n *fakeNode) Thaw() {
	n.do("thaw", func() {
		n.gone = false
		if !n.group.nobody {
			n.group.after(fakeThaws, n.end)
		}
	})
}

func (n *fakeNode) Slow(d time.Duration) { n.do("slow by "+d.String(), func() {}) }
func (n *fakeNode) Heal()                { n.do("heal", func() {}) }

func (n *fakeNode) Cut() {
	n.do("cut", func() {
		if !n.group.nobody {
			n.group.after(fakeFenced, n.end)
		}
		n.taken(fakeTakes - n.group.early)
	})
}

func (n *fakeNode) Healthy(context.Context) bool {
	n.group.mu.Lock()
	defer n.group.mu.Unlock()
	return n.acting() && !n.gone
}

func (n *fakeNode) Acts() []Span {
	n.group.mu.Lock()
	defer n.group.mu.Unlock()
	all := slices.Clone(n.acts)
	if n.acting() {
		all[len(all)-1].To = n.group.now()
	}
	return all
}

func (n *fakeNode) Usage() Usage { return Usage{} }

// StopStore has the holder stop acting after a while, as one does that has no quorum.
func (g *fakeGroup) StopStore() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.after(fakeFenced, func() {
		for _, n := range g.nodes {
			n.end()
		}
	})
	return g.unsupported
}

func (g *fakeGroup) StartStore() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.after(time.Second, g.nodes[2].begin)
	return nil
}

func (g *fakeGroup) Switchover(_ context.Context, from, to Node) error {
	if g.unsupported != nil {
		return g.unsupported
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	from.(*fakeNode).end()
	g.after(time.Second, to.(*fakeNode).begin)
	return nil
}

// TestRound makes a round of each scenario with a system of which is known what it does.
func TestRound(t *testing.T) {
	for _, test := range []struct {
		name     string
		scenario Scenario
		set      func(*fakeGroup)
		want     Round
		late     time.Duration // that Acting may be more than wanted
		wrong    string
		did      string // to the holder
	}{
		{name: "killed", scenario: Killed, want: Round{To: "n1", Gap: 32}, did: "kill start"},
		// It acts until it thaws: a renewal after the other began, and until it has stopped. It is healthy until a moment after.
		{name: "frozen", scenario: Frozen, want: Round{To: "n1", Acting: 11, Healthy: 1}, late: lookEvery, did: "freeze thaw"},
		{name: "partitioned", scenario: Partitioned, want: Round{To: "n1", Gap: 12}, did: "cut heal"},
		{name: "taken too early", scenario: Partitioned, set: func(g *fakeGroup) { g.early = 15 * time.Second }, want: Round{To: "n1", Acting: 3, Healthy: 3}, did: "cut heal"},
		{name: "fast holder", scenario: FastHolder, want: Round{To: "n1", Gap: 12}, did: "cut heal"},
		{name: "slow answers", scenario: SlowAnswers, want: Round{To: "n1", Gap: 12}, did: "slow by 2s cut heal"},
		{name: "switched over", scenario: Switchover, want: Round{Gap: 1}},
		{name: "no store", scenario: Outage, want: Round{To: "n2", Down: 281}},
		{name: "the holder goes on", scenario: Partitioned, set: func(g *fakeGroup) { g.nobody = true }, want: Round{To: "n0"}, did: "cut heal"},
		{name: "no such command", scenario: Switchover, set: func(g *fakeGroup) { g.unsupported = errors.ErrUnsupported }, wrong: "unsupported"},
		{name: "not the one whose clock is fast", scenario: FastHolder, set: func(g *fakeGroup) { g.nodes[0].end(); g.nodes[1].begin() }, wrong: "n1 holds before anything is done, want n0"},
		{name: "two from the beginning", scenario: Killed, set: func(g *fakeGroup) { g.nodes[1].begin() }, wrong: "no node that acted alone"},
		{name: "nobody when all is mended", scenario: Killed, set: func(g *fakeGroup) { g.nobody = true }, wrong: "when all was mended", did: "kill start"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begun := time.Now()
				now := func() lease.Instant { return lease.Instant(time.Since(begun)) + second }
				g := newFakeGroup(now)
				if test.set != nil {
					test.set(g)
				}
				c := Contender{Name: "fake", TTL: fakeTTL, Renew: fakeRenew, Bound: fakeTakes}
				d := &driver{contender: c, group: g, rand: rand.New(rand.NewPCG(1, 2)), now: now}
				got := d.round(t.Context(), test.scenario)
				if test.wrong != "" {
					if !strings.Contains(got.Wrong, test.wrong) {
						t.Errorf("wrong is %q, want %q", got.Wrong, test.wrong)
					}
				} else {
					want := test.want
					want.System, want.Scenario, want.From, want.Bound = "fake", test.scenario, "n0", 32
					if test.scenario == Switchover { // to any other
						want.To = got.To
					}
					// Health is sampled, and that another node acts is seen a moment after.
					const sampled = 2 * pollEvery
					near := func(got *float64, want float64, less, more time.Duration) {
						if *got >= want-less.Seconds() && *got <= want+more.Seconds() {
							*got = want
						}
					}
					rounded := got
					near(&rounded.Acting, want.Acting, 0, test.late)
					if want.Healthy > 0 {
						near(&rounded.Healthy, want.Healthy, sampled, sampled)
					}
					if rounded != want {
						t.Errorf("got %+v, want %+v", got, want)
					}
				}
				if again := d.round(t.Context(), Switchover); test.wrong == "" && (again.Wrong != "" || again.From != got.To || again.Gap != 1) {
					t.Errorf("the next round is %+v, want one that begins with %s", again, got.To)
				}
				if did := strings.Join(g.nodes[0].events, " "); did != test.did {
					t.Errorf("the holder was told %q, want %q", did, test.did)
				}
			})
		})
	}
}
