package resolver

import (
	"fmt"
	"net"
)

// attempts is how often another port is tried: the kernel gives one that is free for TCP, and
// something may have it for UDP.
const attempts = 10

// Listen opens the two sockets of a DNS server on one port of loopback.
func Listen() (udp net.PacketConn, tcp net.Listener, err error) {
	for range attempts {
		if tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			break
		}
		if udp, err = net.ListenPacket("udp", tcp.Addr().String()); err == nil {
			return udp, tcp, nil
		}
		tcp.Close()
	}
	return nil, nil, fmt.Errorf("listen for DNS on a port of loopback: %w", err)
}
