package bench

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/template"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openova-io/failoverd/agent/bootclock"
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
// it knows nothing of sem_clockwait, with which Python 3.11 waits for locks, and such a wait then takes as long as the machine has been
// up; and with FAKETIME_DONT_FAKE_MONOTONIC, time.sleep fails.
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

// prepare makes a node's folder and its links. It knows the others by their names, which its own hosts file says: it is through
// addresses of its own that it reaches them.
func (node *patroniNode) prepare(tb testing.TB, i int, rate float64, times patroniTimes) {
	tb.Helper()
	hosts := "127.0.0.1 localhost\n"
	for j, to := range node.group.nodes {
		if to == node {
			hosts += "127.0.0.1 " + node.name + "\n"
			continue
		}
		address := fmt.Sprintf("127.23.%d.%d", i+1, j+1)
		hosts += address + " " + to.name + "\n"
		for _, port := range []int{to.ports.SQL, to.ports.REST} {
			link := NewLinkAt(tb, fmt.Sprintf("%s:%d", address, port), fmt.Sprintf("127.0.0.1:%d", port))
			node.group.links = append(node.group.links, patroniLink{link, node, to})
		}
	}
	var members []string
	for _, m := range node.group.store.Members {
		at, err := url.Parse(m.URL)
		if err != nil {
			tb.Fatalf("bench: %v", err)
		}
		link := NewLink(tb, at.Host)
		node.group.links = append(node.group.links, patroniLink{link, node, nil})
		members = append(members, link.Address)
	}
	dir := postgresDir(tb)
	var config bytes.Buffer
	err := patroniConfig.Execute(&config, map[string]any{
		"Name": node.name, "SQL": node.ports.SQL, "REST": node.ports.REST, "Etcd": strings.Join(members, ","), "Dir": dir, "Times": times,
	})
	for name, text := range map[string][]byte{"hosts": []byte(hosts), "patroni.yml": config.Bytes(), "sitecustomize.py": patroniClock} {
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
	}
	if err != nil {
		tb.Fatalf("bench: write the configuration of %s: %v", node.name, err)
	}
	command := []string{"/usr/bin/patroni", filepath.Join(dir, "patroni.yml")}
	if rate != 0 {
		command = append([]string{"/usr/bin/env", "PYTHONPATH=" + dir, fmt.Sprint("BENCH_CLOCK_RATE=", rate)}, command...)
	}
	node.args = append([]string{filepath.Join(dir, "hosts")}, command...)
}

// postgresDir is a folder of the user postgres, who may not be root. It ends with the test.
func postgresDir(tb testing.TB) string {
	tb.Helper()
	dir := tb.TempDir()
	postgres, err := user.Lookup("postgres")
	if err != nil {
		tb.Fatalf("bench: %v; run bench/setup.sh", err)
	}
	uid, err := strconv.Atoi(postgres.Uid)
	if err == nil {
		err = os.Chown(dir, uid, -1)
	}
	if err == nil {
		err = os.Chmod(filepath.Dir(dir), 0o711) // its name is nobody's secret, and what is in it has modes of its own
	}
	if err != nil {
		tb.Fatalf("bench: make a folder for PostgreSQL (the tests have to be root): %v", err)
	}
	return dir
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

// rest asks a node's REST API, as a client does. An answer other than 200 is an error.
func (node *patroniNode) rest(ctx context.Context, method, path string, body []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, method, fmt.Sprintf("http://127.0.0.1:%d%s", node.ports.REST, path), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s of %s: %s: %s", method, path, node.name, response.Status, text)
	}
	return text, err
}

// sql asks a node's PostgreSQL something whose answer is one text, or none.
func (node *patroniNode) sql(tb testing.TB, statement string) (answer string) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), time.Minute)
	defer cancel()
	conn, err := node.connect(ctx)
	if err != nil {
		tb.Fatalf("bench: PostgreSQL of %s: %v", node.name, err)
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, statement, pgx.QueryExecModeSimpleProtocol)
	if err == nil {
		for rows.Next() {
			answer = string(rows.RawValues()[0])
		}
		err = rows.Err()
	}
	if err != nil {
		tb.Fatalf("bench: %s: %s: %v", node.name, statement, err)
	}
	return answer
}

// connect is a client's way to a node's PostgreSQL. Commits wait for this node alone.
func (node *patroniNode) connect(ctx context.Context) (*pgx.Conn, error) {
	return pgx.Connect(ctx, fmt.Sprintf("host=127.0.0.1 port=%d user=postgres database=postgres sslmode=disable synchronous_commit=local", node.ports.SQL))
}

// write tries to write until ctx ends.
func (node *patroniNode) write(ctx context.Context) {
	tick := time.NewTicker(tryEvery)
	defer tick.Stop()
	var conn *pgx.Conn
	for ctx.Err() == nil {
		try, cancel := context.WithTimeout(ctx, answersWithin)
		var err error
		if conn == nil {
			conn, err = node.connect(try)
		}
		if err == nil {
			_, err = conn.Exec(try, "INSERT INTO acts VALUES (now())")
		}
		if err == nil {
			node.mu.Lock()
			node.took = append(node.took, bootclock.Clock{}.Now())
			node.mu.Unlock()
		} else if conn != nil && conn.IsClosed() { // it is not where a standby has refused a write
			conn = nil
		}
		cancel()
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
	if conn != nil {
		closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), answersWithin)
		defer cancel()
		conn.Close(closing)
	}
}

// Healthy implements [Node]: what HAProxy asks, as the documentation of the REST API has it.
func (node *patroniNode) Healthy(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, answersWithin)
	defer cancel()
	_, err := node.rest(ctx, http.MethodGet, "/primary", nil)
	return err == nil
}

// Acts implements [Node]: when its PostgreSQL took writes of a client that tries 20 times a second.
func (node *patroniNode) Acts() []Span {
	node.mu.Lock()
	defer node.mu.Unlock()
	return Points(node.took, sameActs)
}

// Cut implements [Node].
func (node *patroniNode) Cut() { node.network(func() { node.cut = true }) }

// Slow implements [Node].
func (node *patroniNode) Slow(d time.Duration) { node.network(func() { node.slow = d }) }

// Heal implements [Node].
func (node *patroniNode) Heal() { node.network(func() { node.cut, node.slow = false, 0 }) }

// network changes what is wrong with the node's network. A link is cut while either of its ends is.
func (node *patroniNode) network(change func()) {
	g := node.group
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
	for _, l := range g.links {
		if l.from.cut || l.to != nil && l.to.cut {
			l.Link.Cut()
		} else {
			l.Heal()
		}
		l.Slow(l.from.slow)
	}
}
