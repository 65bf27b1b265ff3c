// Package dnstest runs DNS servers on loopback, for tests.
package dnstest

import (
	"net"
	"testing"

	"github.com/miekg/dns"
)

// Listen opens both sockets of a DNS server on one port of loopback, which may have to be looked for: the kernel gives one that is
// free for TCP, and something may have it for UDP. They are for the caller to close.
func Listen(tb testing.TB) (address string, udp net.PacketConn, tcp net.Listener) {
	tb.Helper()
	for range 100 {
		var err error
		if tcp, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			tb.Fatal(err)
		}
		address = tcp.Addr().String()
		if udp, err = net.ListenPacket("udp", address); err == nil {
			return address, udp, tcp
		}
		tcp.Close()
	}
	tb.Fatal("no port of 127.0.0.1 is free for both UDP and TCP")
	return
}

// Serve has a handler answer on both until the test is over.
func Serve(tb testing.TB, handler dns.HandlerFunc) (address string) {
	tb.Helper()
	address, udp, tcp := Listen(tb)
	for _, s := range []*dns.Server{{PacketConn: udp, Handler: handler}, {Listener: tcp, Handler: handler}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go s.ActivateAndServe()
		<-started
		tb.Cleanup(func() { s.Shutdown() })
	}
	return address
}
