package resolvers

import (
	"errors"
	"math/rand/v2"
	"net"
	"net/netip"
	"syscall"
	"testing"
)

// port is where a server has to be that is found by a delegation.
const port = 53

// A network is 127.x.y.0/24, and a port of 127.0.0.1 for what can't listen there, of one test alone.
type network struct {
	number uint16
	host   byte
}

// claim takes a network that no other test on this machine has, until the test ends: whoever listens on its first
// address has it.
func claim(tb testing.TB) *network {
	tb.Helper()
	for range 100 {
		n := &network{number: uint16(rand.IntN(1 << 14))}
		l, err := net.Listen("tcp", n.next())
		switch {
		case err == nil:
			tb.Cleanup(func() { l.Close() })
			return n
		case errors.Is(err, syscall.EACCES):
			tb.Fatalf("resolvers: %v: servers that are found by a delegation have port %d; run the test as root, or: sysctl net.ipv4.ip_unprivileged_port_start=%d", err, port, port)
		case !errors.Is(err, syscall.EADDRINUSE):
			tb.Fatalf("resolvers: %v", err)
		}
	}
	tb.Fatalf("resolvers: port %d is in use on all of 100 addresses that were tried: something listens on it on every address; stop that", port)
	return nil
}

// next is an address, host:port, that was not handed out before.
func (n *network) next() string {
	n.host++
	if n.host == 255 {
		panic("resolvers: a network has 254 addresses")
	}
	x, y := byte(1+n.number>>8), byte(n.number) // not 127.0, where the machine's own resolver may be
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, x, y, n.host}), port).String()
}

// local is the network's port of 127.0.0.1, below those that the kernel hands out.
func (n *network) local() string {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), 10000+n.number).String()
}

// split takes a host:port apart that one of these methods returned.
func split(address string) (host string, port uint16) {
	a := netip.MustParseAddrPort(address)
	return a.Addr().String(), a.Port()
}

// ip is the address of a host:port.
func ip(address string) string {
	host, _ := split(address)
	return host
}
