// Package etcd runs real clusters of etcd for tests: members at the version of e2e/go.mod, as processes on loopback, that a
// test kills, freezes and starts again. The program comes from e2e/setup.sh; the kernel kills it when the test binary dies.
package etcd

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/netns"
)

// startTimeout is far above what a start takes: two busy cores.
const startTimeout = 60 * time.Second

// A Cluster is the members of one cluster.
type Cluster struct {
	Members []*Member
}

// A Member is one server of a cluster.
type Member struct {
	URL string // for clients

	peerURL string     // for the other members
	host    netns.Host // that it is alone on; none for one on loopback
	cut     bool       // off from the others
	argv    []string
	*daemon.Process
}

// Start starts a cluster of n members, with more arguments for the command line of each, and waits until it takes writes. It
// ends with the test.
func Start(tb testing.TB, n int, args ...string) *Cluster {
	tb.Helper()
	var members []*Member
	for range n {
		members = append(members, &Member{URL: "http://" + daemon.FreeAddress(tb), peerURL: "http://" + daemon.FreeAddress(tb)})
	}
	return start(tb, members, args)
}

// start starts a cluster whose members know their URLs.
func start(tb testing.TB, members []*Member, args []string) *Cluster {
	tb.Helper()
	program, err := controlplane.Binary("etcd")
	if err != nil {
		tb.Fatalf("etcd: %v", err)
	}
	c := &Cluster{Members: members}
	initial := make([]string, len(members))
	for i, m := range members {
		initial[i] = fmt.Sprintf("m%d=%s", i, m.peerURL)
	}
	var wg sync.WaitGroup
	for i, m := range members {
		m.argv = append(m.argv, program, "--name", fmt.Sprintf("m%d", i), "--data-dir", tb.TempDir(),
			"--listen-client-urls", m.URL, "--advertise-client-urls", m.URL,
			"--listen-peer-urls", m.peerURL, "--initial-advertise-peer-urls", m.peerURL,
			"--initial-cluster", strings.Join(initial, ","), "--log-level", "warn")
		m.argv = append(m.argv, args...)
		m.start(tb)
		wg.Go(func() { c.await(tb, m) })
	}
	wg.Wait()
	if tb.Failed() {
		tb.FailNow()
	}
	return c
}

func (m *Member) start(tb testing.TB) {
	tb.Helper()
	p, err := daemon.StartProcess(m.argv...)
	if err != nil {
		tb.Fatalf("etcd: %v", err)
	}
	m.Process = p
	tb.Cleanup(func() { p.CleanUp(tb, m.URL) })
}

// Endpoints are the URLs for clients, that of member first in front.
func (c *Cluster) Endpoints(first int) []string {
	var urls []string
	for i := range c.Members {
		urls = append(urls, c.Members[(first+i)%len(c.Members)].URL)
	}
	return urls
}

// Start starts a member again that was killed, with what is on its disk. It need not be ready.
func (c *Cluster) Start(tb testing.TB, i int) {
	tb.Helper()
	c.Members[i].start(tb)
}

// Await waits until a member takes part: it answers a linearizable read.
func (c *Cluster) Await(tb testing.TB, i int) {
	tb.Helper()
	if c.await(tb, c.Members[i]); tb.Failed() {
		tb.FailNow()
	}
}

func (c *Cluster) await(tb testing.TB, m *Member) {
	client, err := m.dial()
	if err != nil {
		tb.Errorf("etcd: %v", err)
		return
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	for {
		once, cancel := context.WithTimeout(ctx, time.Second)
		_, err := client.Get(once, "k")
		cancel()
		if err == nil {
			return
		}
		if ctx.Err() != nil || !m.Running() {
			tb.Errorf("etcd: %s is not ready: %v", m.URL, err)
			return
		}
	}
}

// dial is etcd's own client of a member.
func (m *Member) dial() (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{m.URL}, Logger: zap.NewNop()})
}

// Client is etcd's own client of a member, as an administrator has it.
func (c *Cluster) Client(tb testing.TB, i int) *clientv3.Client {
	tb.Helper()
	client, err := c.Members[i].dial()
	if err != nil {
		tb.Fatalf("etcd: %v", err)
	}
	tb.Cleanup(func() { client.Close() })
	return client
}

// Leader is the number of the member that leads.
func (c *Cluster) Leader(tb testing.TB) int {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	for {
		for i, m := range c.Members {
			client := c.Client(tb, i)
			once, cancel := context.WithTimeout(ctx, time.Second)
			status, err := client.Status(once, m.URL)
			cancel()
			if err == nil && status.Leader == status.Header.MemberId {
				return i
			}
		}
		if ctx.Err() != nil {
			tb.Fatal("etcd: no member leads")
		}
	}
}

// MoveLeader has another member lead.
func (c *Cluster) MoveLeader(tb testing.TB) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	for {
		leader := c.Leader(tb)
		next := c.Members[(leader+1)%len(c.Members)]
		client := c.Client(tb, leader)
		once, cancel := context.WithTimeout(ctx, 5*time.Second)
		status, err := client.Status(once, next.URL)
		if err == nil {
			_, err = client.MoveLeader(once, status.Header.MemberId)
		}
		cancel()
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			tb.Fatalf("etcd: move the leader: %v", err)
		}
	}
}
