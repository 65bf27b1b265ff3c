package bench

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/etcd"
	"github.com/openova-io/failoverd/e2e/root"
	"github.com/openova-io/failoverd/lease"
)

// patience is for a process to start, to stop in its tracks, or to answer: far above what any takes.
const patience = time.Minute

// elections are libraries by which a program elects a leader among its own replicas. There is no agent beside what it guards: a
// node that is frozen stops to act, and what it does when it goes on is what is looked at.
func elections(tb testing.TB) []Contender {
	tb.Helper()
	const byDefault = "what \"core clients default to\" (comments of LeaderElectionConfig), and ReleaseOnCancel as "
	p := &electionPrograms{tb: tb}
	return []Contender{
		leaderElection{30 * time.Second, 15 * time.Second, 10 * time.Second, true,
			"the renewals of the others here, and LeaseDuration twice RenewDeadline, as in the example of the package's comment"}.contender(tb, p),
		leaderElection{15 * time.Second, 10 * time.Second, 2 * time.Second, true,
			byDefault + "in client-go's examples/leader-election and in kube-scheduler"}.contender(tb, p),
		leaderElection{15 * time.Second, 10 * time.Second, 2 * time.Second, false,
			byDefault + "in controller-runtime and kube-controller-manager, unless they are told"}.contender(tb, p),
		election{30 * time.Second, "the TTL of the others here"}.contender(tb, p),
		election{2 * time.Second, "the least that etcd grants with its default heartbeat and election timeout (MinLeaseTTL in " +
			"etcdserver.NewServer); its documentation recommends none"}.contender(tb, p),
	}
}

// jitter is leaderelection.JitterFactor and the period itself.
const jitter = 2.2

// leaderElection is client-go's, on a Lease in one kube-apiserver with one etcd.
//
// By its code, two may act where a leader is cut off, with ReleaseOnCancel: it gives up RetryPeriod + RenewDeadline after its last
// renewal, and then tries to release the Lease, for half of RenewDeadline, before its context is done (LeaderElector.Run). And where
// it was frozen: it tries to renew for all of RenewDeadline, even when it has read that another one holds.
type leaderElection struct {
	duration, deadline, retry time.Duration
	release                   bool
	why                       string
}

func (l leaderElection) contender(tb testing.TB, programs *electionPrograms) Contender {
	tb.Helper()
	c := Contender{
		Name:    fmt.Sprintf("client-go leaderelection, %.0f/%.0f/%.0f s", l.duration.Seconds(), l.deadline.Seconds(), l.retry.Seconds()),
		Version: "client-go " + moduleVersion(tb, "k8s.io/client-go") + ", " + programVersion(tb, "kube-apiserver"),
		Settings: fmt.Sprintf("LeaseDuration %v, RenewDeadline %v, RetryPeriod %v, ReleaseOnCancel %v, a lock by resourcelock.NewFromKubeconfig: %s",
			l.duration, l.deadline, l.retry, l.release, l.why),
		Promise: "\"This implementation does not guarantee that only one client is acting as a leader (a.k.a. fencing).\" " +
			"\"[It] is tolerant to arbitrary clock skew, but is not tolerant to arbitrary clock skew rate.\" " +
			"(https://pkg.go.dev/k8s.io/client-go/tools/leaderelection)",
		TTL:   l.duration,
		Renew: l.retry,
		Bound: l.duration + time.Duration(2*jitter*float64(l.retry)),
		Formula: "LeaseDuration + 2 × RetryPeriod × (1 + JitterFactor): a candidate looks every RetryPeriod, and later by up to JitterFactor " +
			"times that; it counts LeaseDuration from when it saw the last renewal",
	}
	if !l.release {
		c.Name += ", not released"
		c.Without = map[Scenario]string{Switchover: "without ReleaseOnCancel the next one waits as if the leader had died"}
	}
	c.Start = func(tb testing.TB, n int, clocks map[int]float64) Group {
		tb.Helper()
		plane := controlplane.Start(tb, 1, controlplane.Options{})[0]
		server, err := url.Parse(plane.Config().Host)
		if err != nil {
			tb.Fatalf("bench: %v", err)
		}
		g := &candidates{
			stop:       func() error { plane.FreezeAPIServer(tb); return nil },
			start:      func() error { plane.ThawAPIServer(tb); return nil },
			switchover: l.release,
		}
		g.stand(tb, programs, n, clocks, func() ([]*Link, []string) {
			link := NewLink(tb, server.Host)
			return []*Link{link}, []string{"-by=leaderelection", "-kubeconfig=" + plane.Kubeconfig, "-server=https://" + link.Address,
				fmt.Sprintf("-ttl=%v", l.duration), fmt.Sprintf("-renew-deadline=%v", l.deadline), fmt.Sprintf("-retry-period=%v", l.retry),
				fmt.Sprintf("-release-on-cancel=%v", l.release)}
		})
		return g
	}
	return c
}

// election is that of etcd's client, on three members.
//
// By its code, two may act where a leader is cut off: its client counts the TTL from when the answer to the last renewal came, and looks
// whether it is over once a second (clientv3, lessor.deadlineLoop); etcd counts from when it took the renewal, and looks twice a second.
type election struct {
	ttl time.Duration
	why string
}

func (e election) contender(tb testing.TB, programs *electionPrograms) Contender {
	tb.Helper()
	return Contender{
		Name:     fmt.Sprintf("etcd concurrency.Election, TTL %.0f s", e.ttl.Seconds()),
		Version:  "client " + moduleVersion(tb, "go.etcd.io/etcd/client/v3") + ", " + programVersion(tb, "etcd"),
		Settings: fmt.Sprintf("concurrency.NewSession(WithTTL(%.0f)), which renews every third of that: %s", e.ttl.Seconds(), e.why),
		Promise: "\"Multiple sessions can participate in the election for the same prefix, but only one can be the leader at a time.\" " +
			"(https://pkg.go.dev/go.etcd.io/etcd/client/v3/concurrency#Election.Campaign) " +
			"\"the lease mechanism itself doesn't guarantee mutual exclusion. Owning a lease cannot guarantee the owner holds a lock of the resource.\" " +
			"(https://etcd.io/docs/v3.6/learning/why/#notes-on-the-usage-of-lock-and-lease)",
		TTL:     e.ttl,
		Renew:   e.ttl / 3,
		Bound:   e.ttl + 500*time.Millisecond,
		Formula: "TTL + 0.5 s: etcd looks that often for leases that are over (lease.lessor.runLoop)",
		Start: func(tb testing.TB, n int, clocks map[int]float64) Group {
			tb.Helper()
			cluster := etcd.Start(tb, 3)
			g := &candidates{
				stop: func() error {
					return errors.Join(within(tb, cluster.Members[0].Freeze), within(tb, cluster.Members[1].Freeze))
				},
				start:      func() error { return errors.Join(cluster.Members[0].Thaw(), cluster.Members[1].Thaw()) },
				switchover: true,
			}
			g.stand(tb, programs, n, clocks, func() (links []*Link, args []string) {
				var urls []string
				for _, url := range cluster.Endpoints(0) {
					link := NewLink(tb, strings.TrimPrefix(url, "http://"))
					links, urls = append(links, link), append(urls, "http://"+link.Address)
				}
				return links, []string{"-by=election", "-endpoints=" + strings.Join(urls, ","), fmt.Sprintf("-ttl=%v", e.ttl)}
			})
			return g
		},
	}
}

// moduleVersion is the version of a module that the contender is built with.
func moduleVersion(tb testing.TB, module string) string {
	tb.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{with .Replace}}{{.Version}}{{else}}{{.Version}}{{end}}", module).Output()
	if err != nil {
		tb.Fatalf("bench: go list -m %s: %v", module, err)
	}
	return strings.TrimSpace(string(out))
}

// programVersion is what a program of e2e/bin says of itself.
func programVersion(tb testing.TB, name string) string {
	tb.Helper()
	program, err := controlplane.Binary(name)
	if err != nil {
		tb.Fatalf("bench: %v", err)
	}
	out, err := exec.Command(program, "--version").Output()
	if err != nil {
		tb.Fatalf("bench: %s --version: %v", program, err)
	}
	line, _, _ := strings.Cut(string(out), "\n")
	return line
}

// within does something that takes a context, and has it end in time.
func within(tb testing.TB, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(tb.Context(), patience)
	defer cancel()
	return do(ctx)
}

// electionPrograms are the contender's of all groups, each built when it is first wanted.
type electionPrograms struct {
	tb            testing.TB // with which they end
	mu            sync.Mutex
	right, atRate string
}

// get returns the program, or one whose clocks can run at another rate.
func (e *electionPrograms) get(tb testing.TB, atRate bool) string {
	tb.Helper()
	tb = lasting{tb, e.tb}
	e.mu.Lock()
	defer e.mu.Unlock()
	built, flags := &e.right, []string(nil)
	if atRate {
		built, flags = &e.atRate, ClockFlags(tb)
	}
	if *built == "" {
		*built = buildContender(tb, flags...)
	}
	return *built
}

// buildContender builds the program of the folder contender.
func buildContender(tb testing.TB, flags ...string) string {
	tb.Helper()
	e2e, err := root.Find()
	if err != nil {
		tb.Fatalf("bench: %v", err)
	}
	program := filepath.Join(tb.TempDir(), "contender")
	cmd := exec.Command("go", append(append([]string{"build", "-o", program}, flags...), "./contender")...)
	cmd.Dir = filepath.Join(filepath.Dir(e2e), "bench")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("bench: build the contender: %v\n%s", err, out)
	}
	return program
}

// candidates are programs that elect one of them.
type candidates struct {
	nodes       []*candidate
	stop, start func() error
	switchover  bool
}

// stand starts n of them, the first one of which leads then. By links a candidate gets at its store; args are what it is told.
func (g *candidates) stand(tb testing.TB, programs *electionPrograms, n int, clocks map[int]float64, reach func() (links []*Link, args []string)) {
	tb.Helper()
	for i := range n {
		links, args := reach()
		acts, err := os.Create(filepath.Join(tb.TempDir(), "acts"))
		if err != nil {
			tb.Fatalf("bench: %v", err)
		}
		tb.Cleanup(func() { acts.Close() })
		c := &candidate{tb: tb, name: fmt.Sprintf("n%d", i+1), links: links, acts: acts}
		rate, atRate := clocks[i]
		c.program = []string{programs.get(tb, atRate)}
		if atRate {
			c.program = slices.Concat([]string{"/usr/bin/env"}, ClockEnv(tb, rate), c.program)
		}
		c.program = append(append(c.program, "-name="+c.name, "-acts="+acts.Name()), args...)
		g.nodes = append(g.nodes, c)
		c.Start()
		if i == 0 {
			daemon.Await(tb, "the first candidate leads", func() bool { return len(c.Acts()) > 0 })
		}
	}
}

func (g *candidates) Nodes() (nodes []Node) {
	for _, c := range g.nodes {
		nodes = append(nodes, c)
	}
	return nodes
}

func (g *candidates) StopStore() error  { return g.stop() }
func (g *candidates) StartStore() error { return g.start() }

// Switchover has the leader step down. Which of the others takes over is not for anybody to say.
func (g *candidates) Switchover(_ context.Context, from, _ Node) error {
	if !g.switchover {
		return errors.ErrUnsupported
	}
	return syscall.Kill(from.(*candidate).process.PID(), syscall.SIGUSR1)
}

// A candidate is a program that may lead.
type candidate struct {
	tb      testing.TB
	name    string
	acts    *os.File // that it writes to
	program []string
	links   []*Link

	process *daemon.Process
	address string // of its health endpoint

	mu    sync.Mutex
	spans []Span // that are in the file,
	read  int64  // so much of it
}

func (c *candidate) Name() string { return c.name }

func (c *candidate) Start() {
	c.tb.Helper()
	process, err := daemon.StartProcess(c.program...)
	if err != nil {
		c.tb.Fatalf("bench: start %s: %v", c.name, err)
	}
	c.process = process
	c.tb.Cleanup(func() { process.CleanUp(c.tb, c.name) })
	c.must("start", within(c.tb, func(ctx context.Context) (err error) {
		c.address, err = process.WaitReady(ctx)
		return err
	}))
}

func (c *candidate) Kill()   { c.tb.Helper(); c.must("kill", c.process.Kill()) }
func (c *candidate) Freeze() { c.tb.Helper(); c.must("freeze", within(c.tb, c.process.Freeze)) }
func (c *candidate) Thaw()   { c.tb.Helper(); c.must("thaw", c.process.Thaw()) }

func (c *candidate) must(what string, err error) {
	c.tb.Helper()
	if err != nil {
		c.tb.Fatalf("bench: %s %s: %v", what, c.name, err)
	}
}

func (c *candidate) Cut() {
	for _, l := range c.links {
		l.Cut()
	}
}

func (c *candidate) Slow(d time.Duration) {
	for _, l := range c.links {
		l.Slow(d)
	}
}

func (c *candidate) Heal() {
	for _, l := range c.links {
		l.Heal()
	}
}

func (c *candidate) Healthy(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+c.address+"/healthy", nil)
	if err != nil {
		c.tb.Fatalf("bench: %v", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	io.Copy(io.Discard, resp.Body) // so that the connection is used again
	resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// pause is for how long a leader that acts every 10 ms may not come to it, on a busy machine.
const pause = 250 * time.Millisecond

func (c *candidate) Acts() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	written, err := io.ReadAll(io.NewSectionReader(c.acts, c.read, math.MaxInt64-c.read))
	if err != nil {
		c.tb.Fatalf("bench: what %s did: %v", c.name, err)
	}
	for ; len(written) >= 8; written = written[8:] {
		c.spans = addPoint(c.spans, lease.Instant(binary.NativeEndian.Uint64(written)), pause)
		c.read += 8
	}
	return slices.Clone(c.spans)
}

// Usage is of the whole process: a leader's has in it what it takes to act.
func (c *candidate) Usage() Usage {
	if !c.process.Running() {
		return Usage{}
	}
	return Usage{RSS: c.process.RSS(c.tb), CPU: c.process.CPU(c.tb)}
}
