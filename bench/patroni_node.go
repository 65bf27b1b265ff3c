package bench

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/openova-io/failoverd/agent/bootclock"
)

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
