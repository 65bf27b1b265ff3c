package bench

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"text/template"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/etcd"
	"github.com/openova-io/failoverd/lease"
)

// patronis are the contenders that are Patroni: with its default times, which are also those of its example configuration; with its
// mode for outages of the store; and with the least TTL that it takes.
func patronis(testing.TB) []Contender {
	return []Contender{
		patroni("Patroni", patroniTimes{TTL: 30, LoopWait: 10, RetryTimeout: 10}, ""),
		patroni("Patroni, failsafe_mode", patroniTimes{TTL: 30, LoopWait: 10, RetryTimeout: 10, Failsafe: true},
			"; failsafe_mode, which is for outages of the store, and off by default"),
		patroni("Patroni, fast", patroniTimes{TTL: 20, LoopWait: 10, RetryTimeout: 5},
			"; 20 is the least ttl that its documentation allows, with the rule loop_wait + 2 * retry_timeout <= ttl (a shorter loop_wait, 1 at "+
				"the least, makes the gap after a death longer and not shorter, as the lease was then renewed more recently)"),
	}
}

// patroniTimes are what its dynamic configuration says of times, in seconds.
type patroniTimes struct {
	TTL, LoopWait, RetryTimeout int
	Failsafe                    bool
}

// patroniAsks is for how long a candidate waits for the state of another member (fetch_node_status of its ha.py).
const patroniAsks = 2 * time.Second

func patroni(name string, times patroniTimes, more string) Contender {
	ttl := time.Duration(times.TTL) * time.Second
	return Contender{
		Name:    name,
		Version: debianVersion("patroni") + ", PostgreSQL " + debianVersion("postgresql-15"),
		Settings: fmt.Sprintf("ttl %d, loop_wait %d, retry_timeout %d%s. The rest as in its example configuration: use_pg_rewind, "+
			"maximum_lag_on_failover 1 MiB, asynchronous replication. watchdog: automatic, which is the default, and there is none on this "+
			"machine. etcd as the DCS, by v3 of its API, through use_proxies, so that a node's ways to it can be cut. Three nodes with "+
			"PostgreSQL; acts: PostgreSQL takes writes.", times.TTL, times.LoopWait, times.RetryTimeout, more),
		Promise: `"To avoid split-brain Patroni needs to ensure PostgreSQL will not accept any transaction commits after leader key expires ` +
			`in the DCS. Under normal circumstances Patroni will try to achieve this by stopping PostgreSQL when leader lock update fails for ` +
			`any reason. However, this may fail to happen due to various reasons: ... Patroni does not get to run due to high load on the ` +
			`system, the VM being paused by the hypervisor, or other infrastructure issues. To guarantee correct behavior under these ` +
			`conditions Patroni supports watchdog devices." (https://patroni.readthedocs.io/en/latest/watchdog.html)`,
		TTL:   ttl,
		Renew: time.Duration(times.LoopWait) * time.Second,
		Bound: ttl + patroniAsks,
		Formula: fmt.Sprintf("ttl %d s: etcd's lease of the leader key runs out, its watch wakes the standbys at once, and each waits up to "+
			"2 s for the states of all others, of which one is dead (ha.py). PostgreSQL's promotion comes on top, without a bound; and "+
			"loop_wait, where the watch is broken.", times.TTL),
		Start: func(tb testing.TB, n int, clocks map[int]float64) Group { return startPatroni(tb, n, clocks, times) },
	}
}

// debianVersion is that of an installed package.
func debianVersion(of string) string {
	out, err := exec.Command("dpkg-query", "--show", "--showformat", "${Version}", of).Output()
	if err != nil {
		return "not installed; run bench/setup.sh"
	}
	return string(out)
}

// A patroniGroup is a cluster of Patroni, as it calls it, and its etcd.
type patroniGroup struct {
	tb    testing.TB
	store *etcd.Cluster
	nodes []*patroniNode

	mu    sync.Mutex // of what is wrong with the nodes' network
	links []patroniLink
}

// A patroniLink is a node's way to another, or to a member of etcd.
type patroniLink struct {
	*Link
	from *patroniNode
	to   *patroniNode // nil for etcd
}

// A patroniNode is Patroni and its PostgreSQL on a machine of its own.
type patroniNode struct {
	*machine
	group *patroniGroup
	ports struct{ SQL, REST int } // by which clients find it on 127.0.0.1

	cut  bool // this and slow belong to the group's mutex
	slow time.Duration

	mu   sync.Mutex
	took []lease.Instant // when a write was taken
}

const (
	// tryEvery is how often a client writes.
	tryEvery = 50 * time.Millisecond

	// sameActs is how far apart two writes may be that are taken for one time of acting: a few tries, since two busy cores keep a
	// client waiting too, and less than what any change of roles takes.
	sameActs = 10 * tryEvery

	// answersWithin is for how long a client waits for an answer; haproxy.cfg, which comes with Patroni, has it wait for 5 s.
	answersWithin = time.Second
)

// patroniScript is run with a hosts file, and the words of a command.
const patroniScript = `
cd /
mount --bind "$1" /etc/hosts
mount -t tmpfs none /dev/shm
shift
setpriv --reuid=postgres --regid=postgres --clear-groups "$@" &
wait`

var patroniConfig = template.Must(template.New("").Parse(`
scope: bench
name: {{.Name}}
restapi:
  listen: 127.0.0.1:{{.REST}}
  connect_address: {{.Name}}:{{.REST}}
etcd3:
  hosts: {{.Etcd}}
  use_proxies: true
bootstrap:
  dcs:
    ttl: {{.Times.TTL}}
    loop_wait: {{.Times.LoopWait}}
    retry_timeout: {{.Times.RetryTimeout}}
    maximum_lag_on_failover: 1048576
{{- if .Times.Failsafe}}
    failsafe_mode: true
{{- end}}
    postgresql:
      use_pg_rewind: true
      parameters: {shared_buffers: 16MB, max_connections: 30, log_min_messages: fatal}
  initdb: [{encoding: UTF8}, data-checksums]
  pg_hba:
  - local all all trust
  - host replication replicator 127.0.0.0/8 trust
  - host all all 127.0.0.0/8 trust
postgresql:
  listen: 127.0.0.1:{{.SQL}}
  connect_address: {{.Name}}:{{.SQL}}
  data_dir: {{.Dir}}/data
  bin_dir: /usr/lib/postgresql/15/bin
  pgpass: {{.Dir}}/pgpass
  authentication:
    replication: {username: replicator, password: replicator}
    superuser: {username: postgres, password: postgres}
    rewind: {username: rewind, password: rewind}
  parameters: {unix_socket_directories: {{.Dir}}}
`))

// patroniClock is what has a program in Python run at another rate, by BENCH_CLOCK_RATE. Debian's libfaketime does not do for it:
// it knows nothing of sem_clockwait, with which Python 3.11 waits for locks, and such a wait then hangs; and with
// FAKETIME_DONT_FAKE_MONOTONIC, time.sleep fails.
//
//go:embed patroni_clock.py
var patroniClock []byte

func startPatroni(tb testing.TB, n int, clocks map[int]float64, times patroniTimes) Group {
	tb.Helper()
	g := &patroniGroup{tb: tb, store: etcd.Start(tb, 3)}
	for i := range n {
		node := &patroniNode{group: g, machine: &machine{tb: tb, name: fmt.Sprintf("node%d", i), script: patroniScript}}
		node.ports.SQL, node.ports.REST = freePort(tb), freePort(tb)
		g.nodes = append(g.nodes, node)
	}
	for i, node := range g.nodes {
		node.prepare(tb, i, clocks[i], times)
	}
	first := g.nodes[0]
	first.Start()
	daemon.Await(tb, first.name+" is the leader", func() bool { return first.Healthy(tb.Context()) })
	first.sql(tb, "CREATE TABLE acts (at timestamptz)")
	for _, node := range g.nodes[1:] {
		node.Start()
	}
	daemon.Await(tb, "all others stream", func() bool {
		return first.sql(tb, "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND application_name LIKE 'node%'") == strconv.Itoa(n-1)
	})
	if times.Failsafe { // the leader writes the members down in its next loop
		daemon.Await(tb, "failsafe_mode knows all members", func() bool {
			members := map[string]string{}
			answer, err := first.rest(tb.Context(), http.MethodGet, "/failsafe", nil)
			return err == nil && json.Unmarshal(answer, &members) == nil && len(members) == n
		})
	}
	var writing sync.WaitGroup
	tb.Cleanup(writing.Wait)
	for _, node := range g.nodes {
		writing.Go(func() { node.write(tb.Context()) })
	}
	return g
}

// patroniPort counts the ports of nodes. They are below those that the kernel gives to whoever asks for any: a node that was killed
// finds its own free when it starts again.
var patroniPort atomic.Int32

func init() { patroniPort.Store(20000 + rand.Int32N(10000)) }

// freePort is one of 127.0.0.1 that nobody listens at, nor will by chance.
func freePort(tb testing.TB) int {
	tb.Helper()
	for range 1000 {
		port := int(patroniPort.Add(1))
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			l.Close()
			return port
		}
	}
	tb.Fatal("bench: no port of 127.0.0.1 is free")
	return 0
}

// Nodes implements [Group].
func (g *patroniGroup) Nodes() []Node {
	var out []Node
	for _, node := range g.nodes {
		out = append(out, node)
	}
	return out
}

// StopStore implements [Group].
func (g *patroniGroup) StopStore() error {
	for _, m := range g.store.Members[:2] {
		if err := m.Freeze(g.tb.Context()); err != nil {
			return err
		}
	}
	return nil
}

// StartStore implements [Group].
func (g *patroniGroup) StartStore() error {
	for _, m := range g.store.Members[:2] {
		if err := m.Thaw(); err != nil {
			return err
		}
	}
	return nil
}

// Switchover implements [Group]: as `patronictl switchover` does it. It returns when another node leads.
func (g *patroniGroup) Switchover(ctx context.Context, from, to Node) error {
	body, err := json.Marshal(map[string]string{"leader": from.Name(), "candidate": to.Name()})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(g.nodes, func(n *patroniNode) bool { return n.name == from.Name() })
	_, err = g.nodes[i].rest(ctx, http.MethodPost, "/switchover", body)
	return err
}
