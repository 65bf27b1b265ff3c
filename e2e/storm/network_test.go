package storm

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/netns"
	"github.com/openova-io/failoverd/e2e/relay"
)

// A place is what an instance speaks to, at an address of the router's.
type place string

const (
	witness   place = "the witness"
	resolver1 place = "resolver 1"
	resolver2 place = "resolver 2"
	resolver3 place = "resolver 3"
	outside   place = "the resolvers' questions" // where they come from
	apiServer place = "its API server"
)

var (
	places    = []place{witness, resolver1, resolver2, resolver3, outside, apiServer}
	resolving = []place{resolver1, resolver2, resolver3, outside}
)

// routerAddress is the router's own, from which the test asks, undisturbed.
var routerAddress = netip.MustParseAddr("10.92.0.254")

// address is where a place is; each region has an API server of its own.
func (p place) address(region int) netip.Addr {
	host := map[place][2]byte{
		witness: {100, 1}, resolver1: {53, 1}, resolver2: {53, 2}, resolver3: {53, 3}, outside: {53, 9}, apiServer: {64, byte(region)},
	}[p]
	return netip.AddrFrom4([4]byte{10, 92, host[0], host[1]})
}

// A network is the hosts, and what their packets meet.
type network struct {
	t     *testing.T
	relay *relay.Relay
	bad   map[ends][]relay.Path // what is wrong with each direction, by each fault that is under way
	no    map[refusal]bool      // what is refused
}

type ends struct{ from, to netip.Addr }

// A refusal is of what a host sends to an address: it is told so at once.
type refusal struct {
	host string
	to   netip.Addr
}

func newNetwork(t *testing.T, regions int, seed uint64) *network {
	t.Helper()
	n := &network{t: t, bad: map[ends][]relay.Path{}, no: map[refusal]bool{}}
	// kube-apiserver wants a way out, though it leads nowhere.
	must(t, netns.IP("link add out type veth peer name nowhere", "link set nowhere up", "addr add 192.0.2.1/32 dev out", "link set out up", "route add default dev out"))
	var err error
	n.relay, err = relay.New("relay", 92, seed)
	must(t, err)
	t.Cleanup(func() { must(t, n.relay.Close()) })
	var all []netip.Addr
	for _, p := range places {
		for r := range regions {
			if a := p.address(r + 1); !slices.Contains(all, a) {
				all = append(all, a)
				must(t, netns.IP(fmt.Sprintf("addr add %v/32 dev lo", a)))
			}
		}
	}
	must(t, n.relay.From(all...))
	return n
}

// join makes the host of an instance.
func (n *network) join(name string, address netip.Addr) netns.Host {
	n.t.Helper()
	host, err := netns.Join(name, address, routerAddress)
	must(n.t, err)
	n.t.Cleanup(func() { must(n.t, host.Leave()) })
	must(n.t, n.relay.Through(host.Link()))
	n.standFor(host, nearWitness, witness.address(0))
	return host
}

// nearWitness stands for the witness in each host: the daemon speaks without TLS to loopback only.
var nearWitness = netip.MustParseAddr("127.0.0.9")

// standFor has what a host sends to one of its own addresses go to another one.
func (n *network) standFor(host netns.Host, near, far netip.Addr) {
	n.t.Helper()
	nft(n.t, host.Name, fmt.Sprintf(`table ip storm {
	set refused { type ipv4_addr; }
	chain out { type nat hook output priority -100; ip daddr %v dnat to %v; }
	chain post { type nat hook postrouting priority 100; ip saddr 127.0.0.0/8 oifname eth0 snat to %v; }
	chain refuse { type filter hook output priority 0; ip daddr @refused meta l4proto tcp reject with tcp reset; ip daddr @refused reject; }
}
`, near, far, host.Address))
	must(n.t, netns.Inside(host.Name, func() error { return os.WriteFile("/proc/sys/net/ipv4/conf/eth0/route_localnet", []byte("1"), 0) }))
}

// nft carries out commands in a host.
func nft(t *testing.T, host, commands string) {
	t.Helper()
	nft := exec.Command("nsenter", "--net="+netns.Path(host), "nft", "-f", "-")
	nft.Stdin = strings.NewReader(commands)
	if out, err := nft.CombinedOutput(); err != nil {
		t.Fatalf("%s: nft: %v: %s", host, err, out)
	}
}

// refuse has what a host sends to an address be rejected, until the function is called that it returns; nil if it is already.
func (n *network) refuse(host string, to netip.Addr) (mend func()) {
	r := refusal{host, to}
	if n.no[r] {
		return nil
	}
	n.no[r] = true
	nft(n.t, host, fmt.Sprintf("add element ip storm refused { %v }", to))
	return func() {
		nft(n.t, host, fmt.Sprintf("delete element ip storm refused { %v }", to))
		delete(n.no, r)
	}
}

// spoil has packets from here to there meet a path too, until the function is called that it returns.
func (n *network) spoil(from, to netip.Addr, p relay.Path) (mend func()) {
	e := ends{from, to}
	n.bad[e] = append(n.bad[e], p)
	n.set(e)
	return func() {
		i := slices.Index(n.bad[e], p)
		n.bad[e] = slices.Delete(n.bad[e], i, i+1)
		n.set(e)
	}
}

// set is the worst of all that is wrong.
func (n *network) set(e ends) {
	var worst relay.Path
	for _, p := range n.bad[e] {
		worst.Delay, worst.Jitter = max(worst.Delay, p.Delay), max(worst.Jitter, p.Jitter)
		worst.Duplicate, worst.Loss = max(worst.Duplicate, p.Duplicate), max(worst.Loss, p.Loss)
	}
	n.relay.Set(e.from, e.to, worst)
}

// forward passes connections to an address on to another, until the test ends: the API servers themselves are on loopback.
func forward(t *testing.T, at, to string) {
	t.Helper()
	listener, err := net.Listen("tcp", at)
	must(t, err)
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go pipe(conn, to)
		}
	}()
}

// pipe joins a connection with a new one to an address, until either side ends it.
func pipe(conn net.Conn, to string) {
	defer conn.Close()
	behind, err := net.DialTimeout("tcp", to, 5*time.Second)
	if err != nil {
		return
	}
	defer behind.Close()
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{conn, behind}, {behind, conn}} {
		go func() {
			io.Copy(way[0], way[1])
			ended <- struct{}{}
		}()
	}
	<-ended
}
