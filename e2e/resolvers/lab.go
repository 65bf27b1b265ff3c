package resolvers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

const (
	// parent is the zone that the delegations are in.
	parent = "example.com"

	// Zone is the zone of the quorum: <region>.<zone> is delegated to each region.
	Zone = "failover." + parent

	// startTimeout is far above the second that a start takes on an idle machine.
	startTimeout = 60 * time.Second
)

// A Lab is the DNS of one test. Its methods are for one goroutine.
type Lab struct {
	Resolvers []Resolver // three, of different makes

	regions map[lease.Region][]string
	network *network
}

// A Resolver is a recursive resolver that runs.
type Resolver struct {
	Name    string // unbound, kresd or named
	Address string // host:port, UDP and TCP
}

// Start starts the servers, and returns when every resolver answers for the parent zone what it has validated. They are
// stopped when the test ends; their output is logged only if the test failed. The regions' own servers are for the test to
// start, at the addresses of Region.
func Start(tb testing.TB, regions []lease.Region) *Lab {
	tb.Helper()
	servers := map[lease.Region]int{}
	for _, r := range regions {
		servers[r] = 1
	}
	return StartServers(tb, servers)
}

// StartServers is Start, with so many servers for each region.
func StartServers(tb testing.TB, servers map[lease.Region]int) *Lab {
	tb.Helper()
	l := &Lab{regions: map[lease.Region][]string{}, network: claim(tb)}
	for r, n := range servers {
		for range n {
			l.regions[r] = append(l.regions[r], l.network.next())
		}
	}
	root := startZones(tb, l.network, l.regions)
	l.Resolvers = []Resolver{{"unbound", l.network.next()}, {"kresd", l.network.next()}, {"named", l.network.local()}}
	processes := []*daemon.Process{
		startUnbound(tb, l.Resolvers[0].Address, root),
		startKnot(tb, l.Resolvers[1].Address, root),
		startBIND(tb, l.Resolvers[2].Address, l.network.next(), root),
	}
	for i, r := range l.Resolvers {
		await(tb, r.Name, r.Address, parent, processes[i], func(reply *dns.Msg) error {
			if !reply.AuthenticatedData {
				return errors.New("its answer is not validated")
			}
			return nil
		})
	}
	return l
}

// Region is the address, host:port, that <region>.<zone> is delegated to, the first if there are several.
func (l *Lab) Region(r lease.Region) string { return l.Servers(r)[0] }

// Servers are the addresses, host:port, that <region>.<zone> is delegated to.
func (l *Lab) Servers(r lease.Region) []string {
	addresses, ok := l.regions[r]
	if !ok {
		panic(fmt.Sprintf("resolvers: %q has no delegation", r))
	}
	return addresses
}

// Address is one more address, host:port, of the lab's own network.
func (l *Lab) Address() string { return l.network.next() }

// Quorum is the section quorum of every region of the lab, each where it is delegated to, all with the same resolvers.
func (l *Lab) Quorum(timeout time.Duration) *daemon.Quorum {
	q := &daemon.Quorum{Zone: Zone, Listen: map[lease.Region]string{}, Resolvers: map[lease.Region][]string{}, Timeout: timeout}
	for region := range l.regions {
		q.Listen[region] = l.Region(region)
		for _, r := range l.Resolvers {
			q.Resolvers[region] = append(q.Resolvers[region], r.Address)
		}
	}
	return q
}

// find is the path of a program of e2e/setup.sh; Debian puts servers where users' PATH does not look.
func find(tb testing.TB, program string) string {
	tb.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path
		}
	}
	tb.Fatalf("resolvers: %s is not installed; run e2e/setup.sh", program)
	return ""
}

// start starts a server, which is killed when the test ends.
func start(tb testing.TB, name string, argv ...string) *daemon.Process {
	tb.Helper()
	p, err := daemon.StartProcess(argv...)
	if err != nil {
		tb.Fatalf("resolvers: start %s: %v", name, err)
	}
	tb.Cleanup(func() {
		ended := !p.Running()
		_ = syscall.Kill(-p.PID(), syscall.SIGKILL) // the whole group; none is left if it ended by itself
		if err := p.Kill(); err != nil {
			tb.Errorf("resolvers: stop %s: %v", name, err)
		}
		if ended {
			tb.Errorf("resolvers: %s ended by itself", name)
		}
		if tb.Failed() {
			stdout, stderr := p.Output()
			tb.Logf("resolvers: output of %s:\n%s%s", name, stdout, stderr)
		}
	})
	return p
}

// await asks a server until it answers for a zone, and accept has nothing against the answer.
func await(tb testing.TB, name, address, zone string, p *daemon.Process, accept func(*dns.Msg) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	client := dns.Client{Timeout: 2 * time.Second}
	for {
		query := new(dns.Msg).SetQuestion(dns.Fqdn(zone), dns.TypeSOA).SetEdns0(1232, true)
		reply, _, err := client.ExchangeContext(ctx, query, address)
		if err == nil && (reply.Rcode != dns.RcodeSuccess || len(reply.Answer) == 0) {
			err = fmt.Errorf("it answers %s with %d records", dns.RcodeToString[reply.Rcode], len(reply.Answer))
		}
		if err == nil {
			err = accept(reply)
		}
		switch {
		case err == nil:
			return
		case !p.Running():
			tb.Fatalf("resolvers: %s at %s ended before it served; see its output", name, address)
		case ctx.Err() != nil:
			tb.Fatalf("resolvers: %s at %s does not serve: %v", name, address, err)
		}
		<-tick.C
	}
}

// write writes a file of a server.
func write(tb testing.TB, dir, name string, lines ...string) (path string) {
	tb.Helper()
	path = filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		tb.Fatalf("resolvers: %v", err)
	}
	return path
}
