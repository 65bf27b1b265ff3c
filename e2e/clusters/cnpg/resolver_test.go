//go:build clusters

package cnpg_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/e2e/clusters"
)

// zone is the one that each region has a name below, which its agent answers for.
const zone = "failover.test."

// startResolvers starts three forwarders in the hub, in the place of public resolvers, and returns their addresses. They know
// the root too, since failoverd check --live asks for it.
func (w *world) startResolvers(t *testing.T) (addresses []string) {
	t.Helper()
	servers := map[string]string{} // name, without the zone -> address
	for _, r := range w.regions {
		servers[r.Name] = net.JoinHostPort(r.IP, "53")
	}
	client := &dns.Client{Timeout: time.Second, UDPSize: 1232}
	forward := func(rw dns.ResponseWriter, q *dns.Msg) {
		labels := dns.SplitDomainName(strings.TrimSuffix(strings.ToLower(q.Question[0].Name), zone))
		answer := new(dns.Msg).SetRcode(q, dns.RcodeServerFailure)
		if q.Question[0].Name == "." {
			answer = new(dns.Msg).SetReply(q)
			answer.Answer = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: dns.ClassINET}, Ns: "root.test."}}
		} else if len(labels) > 0 && servers[labels[len(labels)-1]] != "" {
			client := *client
			client.Net = rw.LocalAddr().Network()
			if a, _, err := client.Exchange(q, servers[labels[len(labels)-1]]); err == nil {
				answer = a
			}
		}
		_ = rw.WriteMsg(answer) // who has gone asks again
	}
	for range 3 {
		tcp, err := net.Listen("tcp", clusters.HubIP+":0")
		if err != nil {
			t.Fatal(err)
		}
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*dns.Server{{Listener: tcp}, {PacketConn: udp}} {
			s.Handler = dns.HandlerFunc(forward)
			ended := make(chan struct{})
			go func() { defer close(ended); _ = s.ActivateAndServe() }()
			t.Cleanup(func() { tcp.Close(); udp.Close(); <-ended })
		}
		addresses = append(addresses, tcp.Addr().String())
	}
	return addresses
}
