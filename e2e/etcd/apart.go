package etcd

import (
	"fmt"
	"net/netip"
	"testing"

	"github.com/openova-io/failoverd/e2e/netns"
)

// StartApart starts a cluster of n members, each on a host of its own, for [Cluster.Cut]. The tests have to be run by [netns.Main].
func StartApart(tb testing.TB, n int) *Cluster {
	tb.Helper()
	var members []*Member
	for i := range n {
		address := netip.AddrFrom4([4]byte{10, 23, 79, byte(i + 1)})
		host, err := netns.Join(fmt.Sprintf("m%d", i), address, netip.MustParseAddr("10.23.79.254"))
		if err != nil {
			tb.Fatalf("etcd: %v", err)
		}
		tb.Cleanup(func() {
			if err := host.Leave(); err != nil {
				tb.Errorf("etcd: %v", err)
			}
		})
		members = append(members, &Member{
			URL: fmt.Sprintf("http://%v:2379", address), peerURL: fmt.Sprintf("http://%v:2380", address), host: host,
			argv: []string{"/usr/bin/nsenter", "--net=" + netns.Path(host.Name)},
		})
	}
	return start(tb, members, nil)
}

// Cut cuts a member off from the others, and not from its clients, until [Cluster.Mend] or the end of the test: what does it would
// outlive the member's host, and meet the next one of that address.
func (c *Cluster) Cut(tb testing.TB, i int) {
	tb.Helper()
	c.route(tb, "add", i)
	c.Members[i].cut = true
	tb.Cleanup(func() {
		if c.Members[i].cut {
			c.Mend(tb, i)
		}
	})
}

// Mend connects a member that was cut off with the others.
func (c *Cluster) Mend(tb testing.TB, i int) {
	tb.Helper()
	c.route(tb, "del", i)
	c.Members[i].cut = false
}

// route adds or deletes the rules by which what one member and the others send to each other goes nowhere.
func (c *Cluster) route(tb testing.TB, verb string, i int) {
	tb.Helper()
	from := c.Members[i].host
	for j, other := range c.Members {
		if j == i {
			continue
		}
		if err := netns.IP(
			fmt.Sprintf("rule %s from %v to %v blackhole", verb, from.Address, other.host.Address),
			fmt.Sprintf("rule %s from %v to %v blackhole", verb, other.host.Address, from.Address),
		); err != nil {
			tb.Fatalf("etcd: %v", err)
		}
	}
}
