package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/e2e/root"
	"github.com/openova-io/failoverd/e2e/supervisor"
	"github.com/openova-io/failoverd/lease"
)

// A failoverdGroup is regions that run.
type failoverdGroup struct {
	nodes []*failoverdNode
	store failoverdStore
}

func startFailoverd(tb testing.TB, k failoverdKind, programs daemon.Binaries, n int, clocks map[int]float64) Group {
	tb.Helper()
	var members []lease.Region
	for i := range n {
		members = append(members, lease.Region(fmt.Sprintf("r%d", i+1)))
	}
	p := k.times(members...)
	g := &failoverdGroup{}
	lab := resolvers.Start(tb, members)
	quorum := &daemon.Quorum{
		Zone: resolvers.Zone, Listen: map[lease.Region]string{}, Resolvers: map[lease.Region][]string{}, Timeout: p.RequestTimeout * 3 / 4,
	}
	for i, m := range members {
		node := &failoverdNode{tb: tb, group: g, number: i}
		quorum.Listen[m] = lab.Address()
		node.ways = append(node.ways, lab.NewMeddler(tb, lab.Region(m), quorum.Listen[m]))
		for _, resolver := range lab.Resolvers {
			way := lab.NewMeddler(tb, lab.Address(), resolver.Address)
			node.ways = append(node.ways, way)
			quorum.Resolvers[m] = append(quorum.Resolvers[m], way.Address)
		}
		g.nodes = append(g.nodes, node)
	}
	group, store := k.on(tb, programs, p, quorum)
	g.store = store
	for i, node := range g.nodes {
		node.region = group.Regions[i]
		node.region.Place(tb, freeAddress(tb))
		node.unit = unitOf(tb, k.watched, programs.Daemon, node.region.ConfigFile())
		if rate, is := clocks[i]; is {
			env := append([]string{"/usr/bin/env"}, ClockEnv(tb, rate)...)
			node.unit.Start, node.unit.StopPost = slices.Concat(env, node.unit.Start), slices.Concat(env, node.unit.StopPost)
		}
		node.run()
	}
	// Nobody takes before it has seen all others, so all of them have to run. The first one is of the best rank.
	daemon.Holder(tb, group.Regions...)
	return g
}

// unitOf is what a service goes by: by the unit that is shipped, with so many times its times, or by none.
func unitOf(tb testing.TB, watched float64, program, configuration string) supervisor.Unit {
	tb.Helper()
	if watched == 0 {
		return supervisor.Unit{Start: []string{program, "run", "--config", configuration}}
	}
	e2e, err := root.Find()
	if err != nil {
		tb.Fatalf("bench: %v", err)
	}
	unit, err := supervisor.Read(filepath.Join(filepath.Dir(e2e), "systemd", "failoverd.service"))
	if err != nil {
		tb.Fatalf("bench: %v", err)
	}
	scaled := unit.For(program, configuration).Scaled(watched)
	scaled.TimeoutStart = unit.TimeoutStart // is for a start that hangs, and in no other's way
	return scaled
}

// freeAddress is one that nobody listens at.
func freeAddress(tb testing.TB) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("bench: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (g *failoverdGroup) Nodes() (nodes []Node) {
	for _, n := range g.nodes {
		nodes = append(nodes, n)
	}
	return nodes
}

func (g *failoverdGroup) StopStore() error  { return g.store.stop() }
func (g *failoverdGroup) StartStore() error { return g.store.start() }

// Switchover waits until all regions reach one another, as after a fault that may take a moment, and has `failoverd switchover` do it.
func (g *failoverdGroup) Switchover(ctx context.Context, from, to Node) error {
	for _, n := range g.nodes {
		n.region.Await(n.tb, "reaches all others through the quorum", func(s daemon.Status) bool {
			for _, p := range s.Peers {
				if !p.Known || p.Quorum == nil || !p.Quorum.Reached {
					return false
				}
			}
			return s.Witness.Up
		})
	}
	code, said, err := from.(*failoverdNode).region.CLI(ctx, "switchover", "--to", to.Name(), "--yes", "--reason", "bench")
	if err == nil && code != 0 {
		err = fmt.Errorf("failoverd switchover: exit code %d: %s", code, said)
	}
	return err
}

// A failoverdNode is a region. Its methods but Healthy are for one goroutine.
type failoverdNode struct {
	tb     testing.TB
	group  *failoverdGroup
	number int
	region *daemon.Region
	ways   []*resolvers.Meddler // from the resolvers to it, and from it to them

	unit    supervisor.Unit
	service *supervisor.Service // of the last boot
	killed  []lease.Instant     // when the machine died
}

func (n *failoverdNode) Name() string { return string(n.region.Name) }

func (n *failoverdNode) must(err error) {
	n.tb.Helper()
	if err != nil {
		n.tb.Fatalf("bench: %s: %v", n.region.Name, err)
	}
}

func (n *failoverdNode) Kill() {
	n.tb.Helper()
	n.must(n.service.Die())
	n.killed = append(n.killed, bootclock.Clock{}.Now())
}

// run boots the machine.
func (n *failoverdNode) run() {
	n.tb.Helper()
	service := supervisor.Start(n.tb, n.Name(), n.unit)
	n.tb.Cleanup(func() { // which says where a busy machine is what was measured
		for _, e := range service.Events(0) {
			if strings.HasPrefix(e.What, "ended: SERVICE_RESULT=watchdog") {
				n.tb.Logf("%s did not ping: killed %v before the end", n.Name(), bootclock.Clock{}.Now().Sub(e.At).Round(time.Second))
			}
		}
	})
	n.service = service
}

func (n *failoverdNode) Start() {
	n.tb.Helper()
	n.run()
	n.region.Await(n.tb, "stands by", func(s daemon.Status) bool { return s.State == lease.Standby || s.State == lease.Active })
}

func (n *failoverdNode) Freeze() {
	n.tb.Helper()
	n.must(n.service.Process().Freeze(n.tb.Context()))
}

// Thaw has the agent that runs by now go on: one that was frozen may have been replaced.
func (n *failoverdNode) Thaw() {
	n.tb.Helper()
	n.must(n.service.Process().Thaw())
}

// meddle has the resolvers be what they are told to be, for this region alone.
func (n *failoverdNode) meddle(does resolvers.Meddling) {
	n.tb.Helper()
	for _, way := range n.ways {
		way.Set(does)
	}
}

func (n *failoverdNode) Cut() {
	n.tb.Helper()
	n.group.store.cut(n.number)
	n.meddle(resolvers.Drops)
}

// Slow has the store be late by d, and what comes by resolvers by [resolvers.Delay].
func (n *failoverdNode) Slow(d time.Duration) {
	n.tb.Helper()
	n.group.store.slow(n.number, d)
	n.meddle(resolvers.Slow)
}

func (n *failoverdNode) Heal() {
	n.tb.Helper()
	n.group.store.heal(n.number)
	n.meddle(resolvers.Honest)
}

var prober = &http.Client{}

// Healthy asks the dead-man gate (docs/routes.md).
func (n *failoverdNode) Healthy(ctx context.Context) bool {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+n.region.Address()+"/readyz?gate="+daemon.GroupName, nil)
	if err != nil {
		return false
	}
	response, err := prober.Do(request)
	if err != nil {
		return false
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, response.Body) // so that the connection can be used again
	return err == nil && response.StatusCode == http.StatusOK
}

// Acts are the times from the beginning of the hook for activation to the end of the next one for fencing. What is guarded on a machine
// that dies ends with it.
func (n *failoverdNode) Acts() []Span {
	n.tb.Helper()
	runs, err := n.region.HookRuns()
	n.must(err)
	return hookSpans(runs, n.killed, bootclock.Clock{}.Now())
}

// hookSpans are the times in which a hook had activated, as of now, on a machine that was killed at times.
func hookSpans(runs []daemon.HookRun, killed []lease.Instant, now lease.Instant) (spans []Span) {
	active := false
	end := func(at lease.Instant) {
		if active {
			spans[len(spans)-1].To = at
		}
		active = false
	}
	for _, run := range runs {
		for len(killed) > 0 && killed[0] < run.At {
			end(killed[0])
			killed = killed[1:]
		}
		switch {
		case run.Action == "activate" && run.Phase == "begin" && !active:
			active = true
			spans = append(spans, Span{From: run.At})
		case run.Action == "fence" && run.Phase == "end":
			end(run.At)
		}
	}
	for _, at := range killed {
		end(at)
	}
	end(now)
	return spans
}

// Usage is that of the daemon.
func (n *failoverdNode) Usage() Usage {
	n.tb.Helper()
	return Usage{RSS: n.service.Process().RSS(n.tb), CPU: n.service.Process().CPU(n.tb)}
}
