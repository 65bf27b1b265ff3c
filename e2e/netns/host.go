package netns

import (
	"fmt"
	"net/netip"
	"os"
)

// routerMAC is of the router's end of every link. Hosts know it: a router that leads packets to itself elsewhere first, as
// package relay has it, does not answer who asks for it.
const routerMAC = "02:00:00:00:00:01"

// A Host is a network namespace with one address and one link, to the router, which is this process's own namespace.
type Host struct {
	Name    string
	Address netip.Addr
}

// Join makes a host. All of its packets go by way of the router.
func Join(name string, address, router netip.Addr) (Host, error) {
	h := Host{name, address}
	in := "-n " + name + " "
	err := IP(
		"netns add "+name,
		fmt.Sprintf("link add %s address %s type veth peer name eth0 netns %s", h.Link(), routerMAC, name),
		in+"link set lo up",
		fmt.Sprintf("%saddr add %v/32 dev eth0", in, address),
		in+"link set eth0 up",
		fmt.Sprintf("%sneigh add %v lladdr %s dev eth0", in, router, routerMAC),
		fmt.Sprintf("%sroute add %v dev eth0", in, router),
		fmt.Sprintf("%sroute add default via %v", in, router),
		fmt.Sprintf("addr add %v/32 dev %s", router, h.Link()),
		"link set "+h.Link()+" up",
		fmt.Sprintf("route add %v dev %s src %v", address, h.Link(), router),
	)
	if err == nil {
		err = os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0)
	}
	if err != nil {
		return Host{}, fmt.Errorf("netns: make the host %s: %w", name, err)
	}
	return h, nil
}

// Link is the router's end of the host's link. The name of the host alone would not do: ip takes hel for help.
func (h Host) Link() string { return "to-" + h.Name }

// Leave removes the host.
func (h Host) Leave() error { return IP("link del "+h.Link(), "netns del "+h.Name) }
