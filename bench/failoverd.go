package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/etcd"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/e2e/root"
	"github.com/openova-io/failoverd/e2e/supervisor"
	"github.com/openova-io/failoverd/lease"
)

// fastTimes are the shortest that docs/witnesses.md calls safe on a witness that is never stale.
func fastTimes(members ...lease.Region) lease.Params {
	p := daemon.DefaultTimes(members...)
	p.TTL, p.RenewInterval, p.RetryInterval, p.PollInterval = 3*time.Second, time.Second, 300*time.Millisecond, 200*time.Millisecond
	p.RequestTimeout, p.FenceTimeout = 500*time.Millisecond, time.Second
	return p
}

// kvTimes are the default times, with the staleness that Cloudflare documents for Workers KV.
func kvTimes(members ...lease.Region) lease.Params {
	p := daemon.DefaultTimes(members...)
	p.Staleness = time.Minute
	return p
}

// kvStale is how old the reads are that KV answers with.
const kvStale = 30 * time.Second

const failoverdPromise = `"two regions never hold authority at once", under the assumptions of docs/protocol.md; "layers are inactive when authority ends: ` +
	`while the agent runs", and, when it is frozen or killed, with a dead-man's switch in time (docs/deadman.md)`

// A failoverdKind is failoverd on one kind of witness.
type failoverdKind struct {
	name, settings string
	times          func(...lease.Region) lease.Params
	on             func(testing.TB, daemon.Binaries, lease.Params, *daemon.Quorum) (*daemon.Group, failoverdStore)
	watched        float64 // as the unit that is shipped has it, with so many times its times; 0: by nobody
	without        map[Scenario]string
}

// failoverds are the contenders that are failoverd.
func failoverds(tb testing.TB) (all []Contender) {
	programs := &failoverdPrograms{tb: tb}
	const fast = "the shortest times that docs/witnesses.md calls safe; the times of the unit a tenth, of which `failoverd check` says that they are too long, as it allows 2 s for a start"
	// A directory has no network whose answers could be late.
	fileless := map[Scenario]string{SlowAnswers: "not made: a local directory answers at once"}
	// What nobody watches differs only where an agent comes to harm.
	unwatched := map[Scenario]string{}
	for _, s := range []Scenario{Partitioned, SlowAnswers, FastHolder, FastCandidates, Switchover, Outage} {
		unwatched[s] = "as failoverd, etcd"
	}
	for _, k := range []failoverdKind{
		{"failoverd, etcd", "three members of etcd; default times", daemon.DefaultTimes, onEtcd, 1, nil},
		{"failoverd, etcd, unwatched", "three members of etcd; default times; `failoverd check` refuses to have an agent run so", daemon.DefaultTimes, onEtcd, 0, unwatched},
		{"failoverd, file", "a directory that all see; default times", daemon.DefaultTimes, onFile, 1, fileless},
		{"failoverd, adversarial KV", fmt.Sprintf("Cloudflare's own KV code, made to answer reads by what is up to %v old, declared as 60 s, Cloudflare's own figure; default times", kvStale), kvTimes, onKV, 1, nil},
		{"failoverd, etcd, fast", "three members of etcd; " + fast, fastTimes, onEtcd, .1, nil},
		{"failoverd, file, fast", "a directory that all see; " + fast, fastTimes, onFile, .1, fileless},
	} {
		all = append(all, k.contender(programs))
	}
	return all
}

func (k failoverdKind) contender(programs *failoverdPrograms) Contender {
	p := k.times("r1", "r2", "r3")
	bound, formula := p.LongestGapFresh(0), "longer(ttl) + poll_interval"
	if p.Staleness > 0 {
		bound, formula = p.LongestGapStale(0), "longer(ttl + 2 staleness) + poll_interval"
	}
	by := "nobody watches the agent"
	if k.watched > 0 {
		by = "the agent is a service, by the unit that is shipped (WatchdogSec, Restart, ExecStopPost), of a stand-in for systemd"
	}
	return Contender{
		Name: k.name, Version: "this commit",
		Settings: fmt.Sprintf("%s; ttl %v, renew_interval %v, poll_interval %v, request_timeout %v, fence_timeout %v; the quorum goes through unbound, Knot Resolver and BIND; %s; its health is the dead-man gate, /readyz?gate=GROUP",
			k.settings, p.TTL, p.RenewInterval, p.PollInterval, p.RequestTimeout, p.FenceTimeout, by),
		Promise: failoverdPromise,
		TTL:     p.TTL, Renew: p.RenewInterval, Bound: bound, Formula: formula + " (docs/protocol.md, §6)",
		Without: k.without,
		Start: func(tb testing.TB, n int, clocks map[int]float64) Group {
			return startFailoverd(tb, k, programs.get(tb, len(clocks) > 0), n, clocks)
		},
	}
}

// failoverdPrograms are those of all groups, each built when it is first wanted.
type failoverdPrograms struct {
	tb            testing.TB // with which they end
	mu            sync.Mutex
	right, atRate *daemon.Binaries
}

// get returns programs as they are released, or ones whose clocks can run at another rate.
func (f *failoverdPrograms) get(tb testing.TB, atRate bool) daemon.Binaries {
	tb.Helper()
	tb = lasting{tb, f.tb}
	f.mu.Lock()
	defer f.mu.Unlock()
	built, flags := &f.right, []string{"-ldflags", "-s -w", "-tags", "grpcnotrace"}
	if atRate {
		built, flags = &f.atRate, append(flags, ClockFlags(tb)...)
	}
	if *built == nil {
		programs := daemon.Build(tb, false, flags...)
		*built = &programs
	}
	return **built
}

// lasting is a test, but that its folders last as long as another one.
type lasting struct {
	testing.TB
	last testing.TB
}

func (l lasting) TempDir() string { return l.last.TempDir() }

// A failoverdStore is the witness of a group of failoverd, to which each region has a way of its own.
type failoverdStore struct {
	cut, heal   func(region int)
	slow        func(region int, d time.Duration)
	stop, start func() error // for all of them
}

// byLinks is a store that each region reaches by links.
func byLinks(links [][]*Link, stop, start func() error) failoverdStore {
	each := func(region int, do func(*Link)) {
		for _, l := range links[region] {
			do(l)
		}
	}
	return failoverdStore{
		cut:  func(region int) { each(region, (*Link).Cut) },
		heal: func(region int) { each(region, (*Link).Heal) },
		slow: func(region int, d time.Duration) { each(region, func(l *Link) { l.Slow(d) }) },
		stop: stop, start: start,
	}
}

// onEtcd is a group on three members of etcd. Two of them are frozen when the store is to be gone.
func onEtcd(tb testing.TB, programs daemon.Binaries, p lease.Params, quorum *daemon.Quorum) (*daemon.Group, failoverdStore) {
	cluster := etcd.Start(tb, 3)
	links, urls := make([][]*Link, len(p.Members)), map[lease.Region][]string{}
	for i, member := range p.Members {
		for _, endpoint := range cluster.Endpoints(i) {
			l := NewLink(tb, strings.TrimPrefix(endpoint, "http://"))
			links[i] = append(links[i], l)
			urls[member] = append(urls[member], "http://"+l.Address)
		}
	}
	group := daemon.NewGroupOn(tb, programs, p, quorum, func(r *daemon.Region) string {
		endpoints, _ := json.Marshal(urls[r.Name]) // strings always can be
		return fmt.Sprintf("{type: etcd, staleness: 0s, etcd: {endpoints: %s}}", endpoints)
	})
	return group, byLinks(links, func() error {
		return errors.Join(cluster.Members[0].Freeze(tb.Context()), cluster.Members[1].Freeze(tb.Context()))
	}, func() error {
		return errors.Join(cluster.Members[0].Thaw(), cluster.Members[1].Thaw())
	})
}

// onKV is a group on Cloudflare's KV code, whose reads are old.
func onKV(tb testing.TB, programs daemon.Binaries, p lease.Params, quorum *daemon.Quorum) (*daemon.Group, failoverdStore) {
	group := daemon.NewGroup(tb, programs, p, quorum)
	var links [][]*Link
	all := func(do func(*kvserver.Link)) func() error {
		return func() error {
			for _, r := range group.Regions {
				do(r.Link)
			}
			return nil
		}
	}
	for _, r := range group.Regions {
		base, err := url.Parse(r.Link.BaseURL)
		if err != nil {
			tb.Fatalf("bench: %v", err)
		}
		l := NewLink(tb, base.Host)
		base.Host = l.Address
		r.Link.BaseURL = base.String()
		r.Configure(tb, "", "")
		r.Link.Stale(kvStale)
		links = append(links, []*Link{l})
	}
	return group, byLinks(links, all((*kvserver.Link).Hang), all((*kvserver.Link).Heal))
}

// onFile is a group on a directory, to which each region has a link of the file system. What is cut off answers with an error, as
// where a mount is gone.
func onFile(tb testing.TB, programs daemon.Binaries, p lease.Params, quorum *daemon.Quorum) (*daemon.Group, failoverdStore) {
	home := tb.TempDir()
	dir, gone := filepath.Join(home, "witness"), filepath.Join(home, "gone")
	way := func(region lease.Region) string { return filepath.Join(home, string(region)) }
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatalf("bench: %v", err)
		}
	}
	must(os.Mkdir(dir, 0o700))
	for _, m := range p.Members {
		must(os.Symlink(dir, way(m)))
	}
	group := daemon.NewGroupOn(tb, programs, p, quorum, func(r *daemon.Region) string {
		return fmt.Sprintf("{type: file, staleness: 0s, file: {dir: %q}}", way(r.Name))
	})
	return group, failoverdStore{
		cut: func(region int) { must(os.Remove(way(p.Members[region]))) },
		heal: func(region int) {
			if err := os.Symlink(dir, way(p.Members[region])); !errors.Is(err, os.ErrExist) {
				must(err)
			}
		},
		slow:  func(int, time.Duration) { tb.Fatal("bench: a directory is not slow") },
		stop:  func() error { return os.Rename(dir, gone) },
		start: func() error { return os.Rename(gone, dir) },
	}
}

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
