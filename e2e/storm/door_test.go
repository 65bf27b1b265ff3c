package storm

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// openDoor answers a region's questions, as they come from the resolvers, by asking all of its instances: who follows says
// SERVFAIL, and a resolver that knows several servers of a zone goes on to the next. It asks from the address that is outside,
// so what it asks is disturbed like everything else.
func openDoor(t *testing.T, at string, instances []netip.Addr) {
	t.Helper()
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) {
		if reply := askAll(query, instances); reply != nil {
			w.WriteMsg(reply)
		}
	})
	packets, err := net.ListenPacket("udp", at)
	must(t, err)
	stream, err := net.Listen("tcp", at)
	must(t, err)
	for _, s := range []*dns.Server{{PacketConn: packets, Handler: handler}, {Listener: stream, Handler: handler}} {
		go s.ActivateAndServe()
		t.Cleanup(func() { s.Shutdown() })
	}
}

// askAll returns the first answer that is one, or any; nil if there is none.
func askAll(query *dns.Msg, instances []netip.Addr) (reply *dns.Msg) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	from := &net.UDPAddr{IP: outside.address(0).AsSlice()}
	client := dns.Client{Dialer: &net.Dialer{LocalAddr: from}, Timeout: 2 * time.Second}
	replies := make(chan *dns.Msg, len(instances))
	for _, i := range instances {
		go func() {
			reply, _, err := client.ExchangeContext(ctx, query.Copy(), netip.AddrPortFrom(i, 53).String())
			if err != nil {
				reply = nil
			}
			replies <- reply
		}()
	}
	for range instances {
		if r := <-replies; r != nil {
			r.Id = query.Id
			if reply = r; r.Rcode != dns.RcodeServerFailure {
				break
			}
		}
	}
	return reply
}
