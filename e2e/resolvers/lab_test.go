package resolvers_test

import (
	"crypto/rand"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

// A region is a server of hel's zone that answers every TXT query for a name of eight labels below it with that name, and
// notes what it was asked.
type region struct {
	mu    sync.Mutex
	asked []string // of TXT and other types
}

// patience is with servers that will answer.
const patience = 30 * time.Second

const regionZone = "hel." + resolvers.Zone + "."

func (r *region) ServeDNS(w dns.ResponseWriter, m *dns.Msg) {
	q := m.Question[0]
	r.mu.Lock()
	r.asked = append(r.asked, w.RemoteAddr().(*net.UDPAddr).IP.String()+" "+q.Name)
	r.mu.Unlock()
	reply := new(dns.Msg).SetReply(m)
	reply.Authoritative = true
	header := func(rrtype uint16) dns.RR_Header {
		return dns.RR_Header{Name: q.Name, Rrtype: rrtype, Class: dns.ClassINET}
	}
	soa := &dns.SOA{Hdr: header(dns.TypeSOA), Ns: regionZone, Mbox: regionZone, Serial: 1, Refresh: 1, Retry: 1, Expire: 1}
	soa.Hdr.Name = regionZone
	switch {
	case q.Qtype == dns.TypeTXT && dns.CountLabel(q.Name) == dns.CountLabel(regionZone)+4:
		reply.Answer = []dns.RR{&dns.TXT{Hdr: header(dns.TypeTXT), Txt: []string{strings.ToLower(q.Name)}}}
	default:
		reply.Ns = []dns.RR{soa}
	}
	_ = w.WriteMsg(reply)
}

// startRegion serves hel's zone.
func startRegion(t *testing.T, address string) *region {
	t.Helper()
	r := &region{}
	conn, err := net.ListenPacket("udp", address)
	if err != nil {
		t.Fatal(err)
	}
	s := &dns.Server{PacketConn: conn, Handler: r}
	started := make(chan struct{})
	s.NotifyStartedFunc = func() { close(started) }
	go s.ActivateAndServe()
	<-started
	t.Cleanup(func() { s.Shutdown() })
	return r
}

// fresh is a name that nobody has asked for.
func fresh() string {
	return strings.ToLower(rand.Text()) + "." + strings.ToLower(rand.Text()) + ".status.e2e." + regionZone
}

func ask(network, address, name string, timeout time.Duration) (*dns.Msg, error) {
	client := dns.Client{Net: network, Timeout: timeout}
	reply, _, err := client.Exchange(new(dns.Msg).SetQuestion(name, dns.TypeTXT).SetEdns0(1232, false), address)
	return reply, err
}

// text is what the TXT records of a reply say.
func text(reply *dns.Msg, err error) string {
	if err != nil {
		return err.Error()
	}
	var all []string
	for _, rr := range reply.Answer {
		if txt, ok := rr.(*dns.TXT); ok {
			all = append(all, txt.Txt...)
		}
	}
	return fmt.Sprintf("%s %v", dns.RcodeToString[reply.Rcode], all)
}

// TestLab asks through each resolver, from the root on, and shows that its habits are on and that a fresh name defeats them:
// every one is asked of the region.
func TestLab(t *testing.T) {
	t.Parallel()
	lab := resolvers.Start(t, []lease.Region{"fsn", "hel"})
	r := startRegion(t, lab.Region("hel"))
	const names = 20
	for _, resolver := range lab.Resolvers {
		t.Run(resolver.Name, func(t *testing.T) {
			var asked []string
			for i := range names {
				name := fresh()
				asked = append(asked, name)
				network := []string{"udp", "tcp"}[i%2]
				if got, want := text(ask(network, resolver.Address, name, patience)), "NOERROR ["+name+"]"; got != want {
					t.Fatalf("over %s got %q, want %q", network, got, want)
				}
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			whole, minimised, randomised := 0, 0, 0
			sources := map[string]bool{}
			for _, line := range r.asked {
				source, name, _ := strings.Cut(line, " ")
				sources[source] = true
				minimised += count(dns.CountLabel(name) < dns.CountLabel(asked[0]))
				randomised += count(name != strings.ToLower(name))
				for _, a := range asked {
					whole += count(strings.EqualFold(name, a))
				}
			}
			if whole < names || minimised == 0 || len(sources) != 1 || (randomised > 0) != (resolver.Name != "named") {
				t.Errorf("for %d names the region was asked for %d whole ones, %d minimised ones, %d with capitals, from %d addresses; want %d, some, some (named: none), 1",
					names, whole, minimised, randomised, len(sources), names)
			}
			r.asked = nil
		})
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
