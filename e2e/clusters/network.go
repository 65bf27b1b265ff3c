package clusters

import (
	"context"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/openova-io/failoverd/e2e/netns"
)

// HubIP is the address at which both regions reach what the test listens on.
const HubIP = "10.90.0.254"

// makeBridge makes the hub's side of the network.
func makeBridge() error {
	return netns.IP(
		"link set lo up",
		"link add br0 type bridge",
		"addr add "+HubIP+"/24 dev br0",
		"link set br0 up",
	)
}

// connect makes a region's network namespace, with its link to the bridge. It outlives the region's death, as a cable does.
// Pods are routed, not translated. There is a default route, which leads nowhere: the addresses of Services need one.
func (r *Region) connect() error {
	other := 3 - r.number
	in := "-n " + r.Name + " "
	err := netns.IP(
		"netns add "+r.Name,
		"link add name "+r.link()+" type veth peer name eth0 netns "+r.Name,
		"link set "+r.link()+" master br0 up",
		in+"link set lo up",
		in+"addr add "+r.IP+"/24 dev eth0",
		in+"link set eth0 up",
		// The address of the Service kubernetes: with it on lo, pods reach the API server whatever routes Services.
		in+fmt.Sprintf("addr add 10.96.%d.1/32 dev lo", r.number),
		in+fmt.Sprintf("route add 10.244.%d.0/24 via 10.90.0.%d", other, other),
		// There is no DNS. With its address here, who asks is told so at once, and does not wait for an answer.
		in+fmt.Sprintf("addr add 10.96.%d.10/32 dev lo", r.number),
		in+"route add default via "+HubIP,
		fmt.Sprintf("route add 10.244.%d.0/24 via %s", r.number, r.IP),
	)
	if err != nil {
		return err
	}
	return netns.Inside(r.Name, func() error { return os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0) })
}

// link is the hub's end of the region's link. The name of the region alone would not do: ip takes hel for help.
func (r *Region) link() string { return "to-" + r.Name }

// Cut takes the region's link down: nothing leaves it or gets to it, and nobody is told.
func (r *Region) Cut(tb testing.TB) {
	tb.Helper()
	if err := netns.IP("link set " + r.link() + " down"); err != nil {
		tb.Fatalf("clusters: %v", err)
	}
}

// Heal undoes Cut.
func (r *Region) Heal(tb testing.TB) {
	tb.Helper()
	if err := netns.IP("link set " + r.link() + " up"); err != nil {
		tb.Fatalf("clusters: %v", err)
	}
}

// Dial connects from within the region, so also while its link is cut. The address has to be an IP address.
func (r *Region) Dial(ctx context.Context, network, address string) (conn net.Conn, err error) {
	errInside := netns.Inside(r.Name, func() error {
		conn, err = new(net.Dialer).DialContext(ctx, network, address)
		return nil
	})
	if errInside != nil {
		return nil, errInside
	}
	return conn, err
}

// Listen listens in the region's network.
func (r *Region) Listen(network, address string) (listener net.Listener, err error) {
	errInside := netns.Inside(r.Name, func() error {
		listener, err = net.Listen(network, address)
		return nil
	})
	if errInside != nil {
		return nil, errInside
	}
	return listener, err
}

// Netns is the file of the region's network namespace, for nsenter --net.
func (r *Region) Netns() string { return netns.Path(r.Name) }
