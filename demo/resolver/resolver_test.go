package resolver_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/demo/resolver"
	"github.com/openova-io/failoverd/quorum/dnstest"
)

// An upstream is the server of zone., which counts what it is asked.
type upstream struct {
	address string
	mu      sync.Mutex
	asked   []string // network, type and name of each query
}

// startUpstream starts a server that answers as told; nil says nothing.
func startUpstream(t *testing.T, says func(network string, query *dns.Msg) *dns.Msg) *upstream {
	t.Helper()
	u := &upstream{}
	u.address = dnstest.Serve(t, func(w dns.ResponseWriter, query *dns.Msg) {
		network := w.RemoteAddr().Network()
		u.mu.Lock()
		u.asked = append(u.asked, network+" "+dns.TypeToString[query.Question[0].Qtype]+" "+query.Question[0].Name)
		u.mu.Unlock()
		if reply := says(network, query); reply != nil {
			w.WriteMsg(reply)
		}
	})
	return u
}

// wantAsked checks what it was asked since the last time.
func (u *upstream) wantAsked(t *testing.T, want ...string) {
	t.Helper()
	u.mu.Lock()
	defer u.mu.Unlock()
	if got := strings.Join(u.asked, ", "); got != strings.Join(want, ", ") {
		t.Errorf("the server was asked %q, want %q", got, want)
	}
	u.asked = nil
}

// startResolver starts one that knows of zone., and whose clock is turned by hand.
func startResolver(t *testing.T, server string) (r *resolver.Resolver, turn func(time.Duration)) {
	t.Helper()
	var mu sync.Mutex
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	r, err := resolver.New(func() time.Time {
		mu.Lock()
		defer mu.Unlock()
		return now
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	r.Delegate("zone", server)
	return r, func(d time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		now = now.Add(d)
	}
}

// ask asks a resolver; tune changes the query first.
func ask(t *testing.T, r *resolver.Resolver, network, name string, qtype uint16, tune func(*dns.Msg)) *dns.Msg {
	t.Helper()
	query := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype).SetEdns0(1232, false)
	if tune != nil {
		tune(query)
	}
	client := dns.Client{Net: network, Timeout: 10 * time.Second}
	reply, _, err := client.Exchange(query, r.Address())
	if err != nil {
		t.Fatalf("%s %s by %s: %v", dns.TypeToString[qtype], name, network, err)
	}
	return reply
}

// text is the reply of a server with a text.
func text(query *dns.Msg, ttl uint32, text string) *dns.Msg {
	reply := new(dns.Msg).SetReply(query)
	reply.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: query.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET, Ttl: ttl}, Txt: []string{text}}}
	return reply
}

// none is the reply of a server without an answer, which holds for the lesser of ttl and minimum.
func none(query *dns.Msg, rcode int, ttl, minimum uint32) *dns.Msg {
	reply := new(dns.Msg).SetRcode(query, rcode)
	reply.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "zone.", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: ttl}, Ns: "zone.", Mbox: "m.zone.", Minttl: minimum}}
	return reply
}

// wantText checks the text of an answer and its TTL.
func wantText(t *testing.T, reply *dns.Msg, want string, ttl uint32) {
	t.Helper()
	if len(reply.Answer) != 1 || reply.Answer[0].(*dns.TXT).Txt[0] != want || reply.Answer[0].Header().Ttl != ttl {
		t.Errorf("got %v, want the text %q with TTL %d", reply, want, ttl)
	}
}

func TestCache(t *testing.T) {
	u := startUpstream(t, func(_ string, m *dns.Msg) *dns.Msg {
		if m.Question[0].Qtype == dns.TypeSOA {
			return none(m, dns.RcodeSuccess, 5, 3)
		}
		return text(m, 60, "sixty")
	})
	r, turn := startResolver(t, u.address)
	wantText(t, ask(t, r, "udp", "a.zone", dns.TypeTXT, nil), "sixty", 60)
	u.wantAsked(t, "udp TXT a.zone.")

	turn(59 * time.Second)
	reply := ask(t, r, "tcp", "A.Zone", dns.TypeTXT, nil)
	wantText(t, reply, "sixty", 1)
	if got := reply.Question[0].Name; got != "A.Zone." {
		t.Errorf("it answers for %s, want the letters as they were asked", got)
	}
	u.wantAsked(t)

	ask(t, r, "udp", "b.zone", dns.TypeTXT, nil) // another name
	ask(t, r, "udp", "a.zone", dns.TypeSOA, nil) // another type, of which there is none
	u.wantAsked(t, "udp TXT b.zone.", "udp SOA a.zone.")

	turn(time.Second)
	wantText(t, ask(t, r, "udp", "a.zone", dns.TypeTXT, nil), "sixty", 60)
	ask(t, r, "udp", "a.zone", dns.TypeSOA, nil)
	u.wantAsked(t, "udp TXT a.zone.")
	turn(2 * time.Second) // the lesser of the two
	ask(t, r, "udp", "a.zone", dns.TypeSOA, nil)
	u.wantAsked(t, "udp SOA a.zone.")
}

// TestNotCached: what its server gives no time for is asked for each time.
func TestNotCached(t *testing.T) {
	for _, tt := range []struct {
		name  string
		says  func(*dns.Msg) *dns.Msg
		rcode int
	}{
		{"TTL 0", func(m *dns.Msg) *dns.Msg { return text(m, 0, "zero") }, dns.RcodeSuccess},
		{"no such name, TTL 0", func(m *dns.Msg) *dns.Msg { return none(m, dns.RcodeNameError, 0, 60) }, dns.RcodeNameError},
		{"no such name, no SOA", func(m *dns.Msg) *dns.Msg { return new(dns.Msg).SetRcode(m, dns.RcodeNameError) }, dns.RcodeNameError},
		{"a failure", func(m *dns.Msg) *dns.Msg { return none(m, dns.RcodeServerFailure, 60, 60) }, dns.RcodeServerFailure},
		{"a refusal", func(m *dns.Msg) *dns.Msg { return none(m, dns.RcodeRefused, 60, 60) }, dns.RcodeServerFailure},
		{"an answer to another question", func(m *dns.Msg) *dns.Msg {
			reply := text(m, 60, "other")
			reply.Question = []dns.Question{{Name: "other.zone.", Qtype: dns.TypeTXT, Qclass: dns.ClassINET}}
			return reply
		}, dns.RcodeServerFailure},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u := startUpstream(t, func(_ string, m *dns.Msg) *dns.Msg { return tt.says(m) })
			r, _ := startResolver(t, u.address)
			for range 2 {
				if got := ask(t, r, "udp", "a.zone", dns.TypeTXT, nil).Rcode; got != tt.rcode {
					t.Errorf("got %s, want %s", dns.RcodeToString[got], dns.RcodeToString[tt.rcode])
				}
				u.wantAsked(t, "udp TXT a.zone.")
			}
		})
	}
}

// TestNoSuchName is kept for the time that the zone gives.
func TestNoSuchName(t *testing.T) {
	u := startUpstream(t, func(_ string, m *dns.Msg) *dns.Msg { return none(m, dns.RcodeNameError, 60, 60) })
	r, _ := startResolver(t, u.address)
	for range 2 {
		reply := ask(t, r, "udp", "a.zone", dns.TypeTXT, nil)
		if reply.Rcode != dns.RcodeNameError || len(reply.Ns) != 1 || reply.Authoritative || !reply.RecursionAvailable {
			t.Errorf("got %v, want NXDOMAIN with the SOA record, by one that is no authority", reply)
		}
	}
	u.wantAsked(t, "udp TXT a.zone.")
}

// TestNoAnswer: a server that says nothing, and one that is not there.
func TestNoAnswer(t *testing.T) {
	u := startUpstream(t, func(string, *dns.Msg) *dns.Msg { return nil })
	r, _ := startResolver(t, u.address)
	r.Delegate("gone.zone", "127.0.0.1:1")
	for _, name := range []string{"a.zone", "a.gone.zone"} {
		if got := ask(t, r, "udp", name, dns.TypeTXT, nil).Rcode; got != dns.RcodeServerFailure {
			t.Errorf("%s: got %s, want SERVFAIL", name, dns.RcodeToString[got])
		}
	}
	u.wantAsked(t, "udp TXT a.zone.")
}

// TestRoot: what is below no delegation does not exist; the root does, so that one can ask for it.
func TestRoot(t *testing.T) {
	u := startUpstream(t, func(_ string, m *dns.Msg) *dns.Msg { return text(m, 0, "old") })
	r, _ := startResolver(t, u.address)
	if reply := ask(t, r, "udp", ".", dns.TypeNS, nil); len(reply.Answer) != 1 {
		t.Errorf("got %v, want the root's NS record", reply)
	}
	if reply := ask(t, r, "udp", ".", dns.TypeTXT, nil); reply.Rcode != dns.RcodeSuccess || len(reply.Answer) > 0 {
		t.Errorf("got %v, want NODATA", reply)
	}
	for _, name := range []string{"a.other", "a.notzone"} {
		if reply := ask(t, r, "udp", name, dns.TypeTXT, nil); reply.Rcode != dns.RcodeNameError {
			t.Errorf("%s: got %v, want NXDOMAIN", name, reply)
		}
	}
	chaos := func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }
	if reply := ask(t, r, "udp", "a.zone", dns.TypeTXT, chaos); reply.Rcode != dns.RcodeNotImplemented {
		t.Errorf("another class: got %v, want NOTIMP", reply)
	}
	u.wantAsked(t)

	moved := startUpstream(t, func(_ string, m *dns.Msg) *dns.Msg { return text(m, 0, "new") })
	r.Delegate("ZONE.", moved.address)
	wantText(t, ask(t, r, "udp", "a.zone", dns.TypeTXT, nil), "new", 0)
	u.wantAsked(t)
}

// TestTCP: what does not fit into a datagram is fetched, and given, by TCP.
func TestTCP(t *testing.T) {
	u := startUpstream(t, func(network string, m *dns.Msg) *dns.Msg {
		reply := text(m, 60, strings.Repeat("x", 200))
		for range 9 {
			reply.Answer = append(reply.Answer, reply.Answer[0])
		}
		if network == "udp" {
			reply.Truncate(1232)
		}
		return reply
	})
	r, _ := startResolver(t, u.address)
	for _, tt := range []struct {
		network string
		edns    bool
		whole   bool
		most    int
	}{{"udp", true, false, 1232}, {"udp", false, false, 512}, {"tcp", true, true, dns.MaxMsgSize}, {"tcp", false, true, dns.MaxMsgSize}} {
		reply := ask(t, r, tt.network, "a.zone", dns.TypeTXT, func(m *dns.Msg) {
			if !tt.edns {
				m.Extra = nil
			}
		})
		if reply.Truncated == tt.whole || tt.whole && len(reply.Answer) != 10 || reply.Len() > tt.most || (reply.IsEdns0() != nil) != tt.edns {
			t.Errorf("%s, EDNS %v: got %d records in %d octets, truncated %v", tt.network, tt.edns, len(reply.Answer), reply.Len(), reply.Truncated)
		}
	}
	u.wantAsked(t, "udp TXT a.zone.", "tcp TXT a.zone.")
}
