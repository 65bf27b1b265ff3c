package bench

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/netns"
	"github.com/openova-io/failoverd/e2e/relay"
	"github.com/openova-io/failoverd/lease"
)

const (
	boothExpire   = 30 * time.Second
	boothRenewal  = 10 * time.Second
	boothTimeout  = 2 * time.Second
	boothRandom   = time.Second // an election begins up to so much later (add_random_delay of its ticket.c)
	boothPatience = 2 * time.Minute
)

// booths are the contenders that are Booth.
func booths(testing.TB) []Contender {
	return []Contender{{
		Name:    "Booth",
		Version: debianVersion("booth"),
		Settings: "two sites and an arbitrator, each on a network of its own; expire 30, renewal-freq 10, acquire-after 0, which is the " +
			"default. timeout 2 and retries 3, since timeout*(retries+1) has to be less than renewal-freq. It says that \"tickets are not meant " +
			"to be moved around quickly\", and has expire be 600 by default. Acts: the ticket is granted at a site, as its Pacemaker would " +
			"have it: crm_ticket, by which boothd speaks to Pacemaker, is one that takes that down; resources would need time to start and stop " +
			"in addition. It has no endpoint for a load balancer: healthy is where the ticket is granted. boothd runs with -s, and its operator's " +
			"messages are sent by the test, as Debian's boothd and booth hang at start on Linux 6.9 and newer without " +
			"(https://github.com/ClusterLabs/booth/pull/139).",
		Promise: `"The booth cluster guarantees that every ticket is owned by only one site at the time." (boothd(8)) Where the owner is cut off: ` +
			`"the old leader releases the ticket at around the same time as when new elections in the other partition are held" (its README)`,
		TTL:   boothExpire,
		Renew: boothRenewal,
		Bound: boothExpire + boothRandom + boothTimeout,
		Formula: "expire 30 s + up to 1 s until an election begins + timeout 2 s, for which it waits for the vote of the one that is dead " +
			"(ticket.c and raft.c)",
		Without: map[Scenario]string{Outage: "it has no store"},
		Start:   startBooth,
	}}
}

// A boothGroup is a cluster of Booth. All of its members but the last are sites.
type boothGroup struct {
	tb      testing.TB
	relay   *relay.Relay
	members []*boothMember

	mu sync.Mutex // of what is wrong with the members' network
}

// A boothMember is boothd on a machine, and a network, of its own.
type boothMember struct {
	*machine
	group *boothGroup
	host  netns.Host
	dir   string

	cut  bool // this and slow belong to the group's mutex
	slow time.Duration
}

// boothGroups counts the groups, for the names of their networks.
var boothGroups atomic.Int32

// boothScript is run with a folder of programs, and the words of a command.
const boothScript = `
cd /
PATH="$1:/usr/sbin:$PATH"
export PATH
shift
"$@" &
wait`

// boothTicket is the name of the ticket.
const boothTicket = "bench"

// crmTicket stands in for Pacemaker's program. See boothMember.Acts.
//
//go:embed booth_crm_ticket.sh
var crmTicket []byte

func startBooth(tb testing.TB, n int, clocks map[int]float64) Group {
	tb.Helper()
	g := &boothGroup{tb: tb}
	name := fmt.Sprintf("b%x-%d", os.Getpid(), boothGroups.Add(1))
	g.wire(tb, name, n)
	config := "transport = UDP\nport = 9929\n"
	for i, m := range g.members {
		kind := "site"
		if i == n-1 {
			kind = "arbitrator"
		}
		config += fmt.Sprintf("%s = %v\n", kind, m.host.Address)
	}
	config += fmt.Sprintf("ticket = %q\n  expire = %.0f\n  renewal-freq = %.0f\n  timeout = %.0f\n  retries = 3\n",
		boothTicket, boothExpire.Seconds(), boothRenewal.Seconds(), boothTimeout.Seconds())
	for i, m := range g.members {
		m.prepare(tb, config, clocks[i])
		m.Start()
	}
	first := g.members[0]
	var err error
	daemon.Await(tb, "the ticket is granted to "+first.name, func() bool {
		err = first.ask(tb.Context(), grantTicket)
		return err == nil
	}, func() string { return err.Error() })
	daemon.Await(tb, first.name+" acts", func() bool { return first.Healthy(tb.Context()) })
	return g
}

// wire makes a network for each member, and a router between them that can lose and delay what they send. They end with the test.
func (g *boothGroup) wire(tb testing.TB, name string, n int) {
	tb.Helper()
	router := name + "r"
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatalf("bench: the network of Booth (the tests have to be root): %v", err)
		}
	}
	mustAtEnd := func(do func() error) {
		tb.Cleanup(func() {
			if err := do(); err != nil {
				tb.Errorf("bench: the network of Booth: %v", err)
			}
		})
	}
	must(netns.IP("netns add " + router))
	mustAtEnd(func() error { return netns.IP("netns del " + router) })
	for i := range n {
		m := &boothMember{group: g, machine: &machine{tb: tb, name: fmt.Sprintf("site%d", i), script: boothScript}}
		if i == n-1 {
			m.name = "arbitrator"
		}
		must(netns.Inside(router, func() (err error) {
			m.host, err = netns.Join(fmt.Sprintf("%s%c", name, 'a'+i), netip.AddrFrom4([4]byte{10, 24, 0, byte(i + 1)}), netip.MustParseAddr("10.24.0.254"))
			return err
		}))
		mustAtEnd(func() error { return netns.Inside(router, m.host.Leave) })
		m.machine.argv = []string{"/usr/bin/nsenter", "--net=" + netns.Path(m.host.Name)}
		g.members = append(g.members, m)
	}
	must(netns.Inside(router, func() (err error) {
		if g.relay, err = relay.New("relay", 24, 1); err != nil {
			return err
		}
		for _, m := range g.members {
			err = errors.Join(err, g.relay.Through(m.host.Link()))
		}
		return err
	}))
	mustAtEnd(func() error { return netns.Inside(router, g.relay.Close) })
}

// prepare makes a member's folder. boothd gives up being root, for a user that is Pacemaker's where there is one.
func (m *boothMember) prepare(tb testing.TB, config string, rate float64) {
	tb.Helper()
	m.dir = tb.TempDir()
	programs := filepath.Join(m.dir, "bin")
	err := errors.Join(
		os.Chmod(filepath.Dir(m.dir), 0o711), os.Chmod(m.dir, 0o777), os.Mkdir(programs, 0o755),
		os.WriteFile(filepath.Join(programs, "crm_ticket"), crmTicket, 0o755),
		os.WriteFile(filepath.Join(m.dir, "booth.conf"), []byte(config), 0o644),
		os.WriteFile(m.changes(), nil, 0o666), os.Chmod(m.changes(), 0o666),
	)
	if err != nil {
		tb.Fatalf("bench: write the configuration of %s: %v", m.name, err)
	}
	m.args = []string{programs, "/usr/bin/env"}
	if rate != 0 {
		m.args = append(m.args, "LD_PRELOAD=/usr/$LIB/faketime/libfaketimeMT.so.1", fmt.Sprint("FAKETIME=+0 x", rate), "FAKETIME_DONT_FAKE_MONOTONIC=0")
	}
	// It takes -s only where -D comes before it, and -S has it not fork.
	m.args = append(m.args, "boothd", "daemon", "-D", "-S", "-s", m.host.Address.String(), "-c", filepath.Join(m.dir, "booth.conf"), "-l", filepath.Join(m.dir, "lock"))
}

// changes is the file of what has become of the ticket.
func (m *boothMember) changes() string { return filepath.Join(m.dir, "changes") }

// Nodes implements [Group].
func (g *boothGroup) Nodes() []Node {
	var out []Node
	for _, m := range g.members[:len(g.members)-1] {
		out = append(out, m)
	}
	return out
}

// StopStore implements [Group].
func (g *boothGroup) StopStore() error { return errors.ErrUnsupported }

// StartStore implements [Group].
func (g *boothGroup) StartStore() error { return errors.ErrUnsupported }

// Switchover implements [Group]: `booth revoke`, and `booth grant` at the other site, as boothd(8) has it.
func (g *boothGroup) Switchover(ctx context.Context, from, to Node) error {
	member := func(n Node) *boothMember {
		return g.members[slices.IndexFunc(g.members, func(m *boothMember) bool { return m.name == n.Name() })]
	}
	if err := member(from).ask(ctx, revokeTicket); err != nil {
		return err
	}
	// The other site may not have heard yet that the ticket is free, and an operator who is told so asks again.
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for {
		if err := member(to).ask(ctx, grantTicket); !errors.Is(err, errElsewhere) {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("%s is told for %v: %w", to.Name(), switchPatience, errElsewhere)
		}
	}
}

var errElsewhere = errors.New("boothd says that the ticket is granted elsewhere")

// Commands and results of Booth's protocol (its booth.h).
const (
	grantTicket  = "CGnt"
	revokeTicket = "CRvk"

	resultSuccess = "\x00\x00\x00\x00"
	resultSoon    = "Asyn"
	resultMore    = "More"
	resultOver    = "Over" // RLT_OVERGRANT
)

// A boothMessage is what a client and boothd say to one another, without authentication (struct boothc_ticket_msg of its booth.h).
type boothMessage struct {
	Auth           [3]uint32
	Magic, Version uint32
	From, Length   uint32
	Command        [4]byte
	Request        [4]byte
	Options        uint32
	Reason, Result [4]byte
	Ticket         [64]byte
	State          [3]uint32
}

// ask has boothd do something with the ticket, and waits until it is done, as `booth grant -w` and `booth revoke -w` do.
func (m *boothMember) ask(ctx context.Context, command string) error {
	message := boothMessage{Magic: 0x5F1BA08C, Version: 0x00010003, Options: 2 /* OPT_WAIT */}
	message.Length = uint32(binary.Size(message))
	copy(message.Command[:], command)
	copy(message.Ticket[:], boothTicket)
	ctx, cancel := context.WithTimeout(ctx, boothPatience)
	defer cancel()
	err := netns.Inside(m.host.Name, func() error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", m.host.Address.String()+":9929")
		if err != nil {
			return err
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		if err := binary.Write(conn, binary.BigEndian, message); err != nil {
			return err
		}
		for {
			var answer boothMessage
			if err := binary.Read(conn, binary.BigEndian, &answer); errors.Is(err, io.EOF) {
				return errors.New("boothd says nothing of what became of it")
			} else if err != nil {
				return err
			}
			switch result := string(answer.Result[:]); result {
			case resultSuccess:
				return nil
			case resultSoon, resultMore:
			case resultOver:
				return errElsewhere
			default:
				return fmt.Errorf("boothd says %q", result)
			}
		}
	})
	if err != nil {
		return fmt.Errorf("%s at %s: %w", command, m.name, err)
	}
	return nil
}

// Kill implements [Node]. What Pacemaker knew of the ticket dies with it, since it keeps that in memory (the status section of its
// CIB).
func (m *boothMember) Kill() {
	m.tb.Helper()
	m.machine.Kill()
	file, err := os.OpenFile(m.changes(), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = fmt.Fprintf(file, "revoked %.2f\n", time.Duration(bootclock.Clock{}.Now()).Seconds())
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		m.tb.Fatalf("bench: %s: %v", m.name, err)
	}
}

// Healthy implements [Node].
func (m *boothMember) Healthy(context.Context) bool {
	_, acts := m.acts()
	return acts
}

// Acts implements [Node]: when the ticket was granted, to a hundredth of a second.
func (m *boothMember) Acts() []Span {
	spans, _ := m.acts()
	return spans
}

// acts is when the ticket was granted, and whether it is.
func (m *boothMember) acts() (spans []Span, now bool) {
	m.tb.Helper()
	text, err := os.ReadFile(m.changes())
	if err != nil {
		m.tb.Fatalf("bench: %s: %v", m.name, err)
	}
	text = text[:bytes.LastIndexByte(text, '\n')+1] // the last line may not be written yet
	for line := range strings.Lines(string(text)) {
		is, since, _ := strings.Cut(strings.TrimSpace(line), " ")
		seconds, err := strconv.ParseFloat(since, 64)
		if err != nil {
			m.tb.Fatalf("bench: %s: %q is no change of a ticket: %v", m.name, line, err)
		}
		at := lease.Instant(seconds * float64(time.Second))
		switch granted := is == "granted"; {
		case granted && !now:
			spans = append(spans, Span{at, at})
		case !granted && now:
			spans[len(spans)-1].To = at
		}
		now = is == "granted"
	}
	if now {
		spans[len(spans)-1].To = bootclock.Clock{}.Now()
	}
	return spans, now
}

// Cut implements [Node].
func (m *boothMember) Cut() { m.network(func() { m.cut = true }) }

// Slow implements [Node].
func (m *boothMember) Slow(d time.Duration) { m.network(func() { m.slow = d }) }

// Heal implements [Node].
func (m *boothMember) Heal() { m.network(func() { m.cut, m.slow = false, 0 }) }

// network changes what is wrong with the member's network. What two members send to each other is lost while either is cut off.
func (m *boothMember) network(change func()) {
	g := m.group
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
	for _, from := range g.members {
		for _, to := range g.members {
			path := relay.Path{Delay: to.slow}
			if from.cut || to.cut {
				path.Loss = 1
			}
			g.relay.Set(from.host.Address, to.host.Address, path)
		}
	}
}
