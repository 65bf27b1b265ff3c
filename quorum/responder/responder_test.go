package responder_test

import (
	"crypto/ed25519"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum/responder"
)

// TestOneAnswer: three resolvers bring a question, over UDP and TCP and in other cases of letters: the region is asked once,
// and all get the same.
func TestOneAnswer(t *testing.T) {
	r := start(t, 1000)
	r.hold = make(chan struct{})
	q := r.question()
	name := r.name(q, "fsn")
	replies := make(chan *dns.Msg, 3)
	for network, spelling := range map[string]string{"udp": name, "tcp": strings.ToUpper(name), "udp4": strings.ToUpper(name[:40]) + name[40:]} {
		go func() { replies <- r.exchange(network, query(spelling, dns.TypeTXT)) }()
	}
	await(t, "the question is asked", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.asked) > 0 })
	close(r.hold)
	for range 3 {
		r.granted(<-replies, q)
	}
	r.wantAsked(1)
	if c := r.server.Counts(); c[responder.Answered] != 1 || c[responder.Repeated] != 2 {
		t.Errorf("counted %v, want 1 answered and 2 repeated", c)
	}
}

// TestRefused: what no member asked, or not now, is not asked of the region, and gets what any name gets that is not there.
func TestRefused(t *testing.T) {
	r := start(t, 1000)
	old, early, forged := r.question(), r.question(), r.question()
	old.Sent = old.Sent.Add(-31 * time.Second)
	early.Sent = early.Sent.Add(31 * time.Second)
	for _, tt := range []struct {
		what, name string
		kind       responder.Kind
	}{
		{"sent too long ago", r.name(old, "fsn"), responder.Stale},
		{"sent in the future", r.name(early, "fsn"), responder.Stale},
		{"signed by another", r.name(forged, "hel"), responder.BadSignature},
		{"of senseless labels", "a.b.c.fsn.pledge.rtz.hel." + zone, responder.Malformed},
	} {
		before := r.server.Counts()[tt.kind]
		reply := r.exchange("udp", query(tt.name, dns.TypeTXT))
		if reply.Rcode != dns.RcodeNameError || len(reply.Answer) > 0 || len(reply.Ns) != 1 || r.server.Counts()[tt.kind] != before+1 {
			t.Errorf("%s: got %v, counted %v, want NXDOMAIN and %s", tt.what, reply, r.server.Counts(), tt.kind)
		}
		if reply.Len() > 3*query(tt.name, dns.TypeTXT).Len() {
			t.Errorf("%s: the answer has %d octets: an amplifier", tt.what, reply.Len())
		}
	}
	r.wantAsked(0)
	// A replay within the window is answered as before, and changes nothing.
	q := r.question()
	r.granted(r.exchange("udp", query(r.name(q, "fsn"), dns.TypeTXT)), q)
	r.granted(r.exchange("udp", query(r.name(q, "fsn"), dns.TypeTXT)), q)
	r.wantAsked(1)
	// A region that has nothing to say is no name that is not there: a resolver may ask again.
	r.mu.Lock()
	r.err = errors.New("stopping")
	r.mu.Unlock()
	if reply := r.exchange("udp", query(r.name(r.question(), "fsn"), dns.TypeTXT)); reply.Rcode != dns.RcodeServerFailure {
		t.Errorf("got %v, want SERVFAIL", reply)
	}
}

// TestAuthority asks for what resolvers ask for on their way to a question, and what strangers ask for.
func TestAuthority(t *testing.T) {
	r := start(t, 1000)
	question := r.name(r.question(), "fsn")
	_, parent, _ := strings.Cut(question, ".")
	for _, tt := range []struct {
		name   string
		qtype  uint16
		rcode  int
		answer string // type of the record, if there is one
		soa    bool   // in the authority section
	}{
		{"hel." + zone, dns.TypeSOA, dns.RcodeSuccess, "SOA", false},
		{"HEL." + zone, dns.TypeNS, dns.RcodeSuccess, "NS", false},
		{"hel." + zone, dns.TypeANY, dns.RcodeSuccess, "SOA", false},
		{"hel." + zone, dns.TypeA, dns.RcodeSuccess, "", true},
		{"rtz.hel." + zone, dns.TypeNS, dns.RcodeSuccess, "", true},
		{"pledge.rtz.hel." + zone, dns.TypeA, dns.RcodeSuccess, "", true},
		{"fsn.status.rtz.hel." + zone, dns.TypeA, dns.RcodeSuccess, "", true},
		{parent, dns.TypeTXT, dns.RcodeSuccess, "", true},
		{question, dns.TypeA, dns.RcodeSuccess, "", true},
		{"www.hel." + zone, dns.TypeA, dns.RcodeNameError, "", true},
		{"take.rtz.hel." + zone, dns.TypeA, dns.RcodeNameError, "", true},
		{"nbg.pledge.rtz.hel." + zone, dns.TypeA, dns.RcodeNameError, "", true},
		{"x." + question, dns.TypeTXT, dns.RcodeNameError, "", true},
		{zone, dns.TypeSOA, dns.RcodeRefused, "", false},
		{"fsn." + zone, dns.TypeA, dns.RcodeRefused, "", false},
		{"xhel." + zone, dns.TypeA, dns.RcodeRefused, "", false},
		{"www.google.com", dns.TypeA, dns.RcodeRefused, "", false},
		{"hel." + zone, dns.TypeAXFR, dns.RcodeRefused, "", false},
	} {
		m := query(tt.name, tt.qtype)
		network := "udp"
		if tt.qtype == dns.TypeAXFR {
			network = "tcp"
		}
		reply := r.exchange(network, m)
		got := ""
		if len(reply.Answer) > 0 {
			got = dns.TypeToString[reply.Answer[0].Header().Rrtype]
		}
		for _, rr := range append(reply.Answer, reply.Ns...) {
			if soa, ok := rr.(*dns.SOA); ok && int64(soa.Serial) != r.now.Unix() {
				t.Errorf("%s %s: the serial is %d, want the wall clock, %d", tt.name, dns.TypeToString[tt.qtype], soa.Serial, r.now.Unix())
			}
		}
		if reply.Rcode != tt.rcode || got != tt.answer || (len(reply.Ns) == 1) != tt.soa || reply.Authoritative != (tt.rcode != dns.RcodeRefused) {
			t.Errorf("%s %s: got %v", tt.name, dns.TypeToString[tt.qtype], reply)
		}
	}
	r.wantAsked(0)
}

// TestMessages sends what is no ordinary query.
func TestMessages(t *testing.T) {
	r := start(t, 1000)
	for _, tt := range []struct {
		what  string
		spoil func(*dns.Msg)
		rcode int
	}{
		{"a later EDNS", func(m *dns.Msg) { m.IsEdns0().SetVersion(1) }, dns.RcodeBadVers},
		{"an update", func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }, dns.RcodeNotImplemented},
		{"a notification", func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }, dns.RcodeNotImplemented},
		{"another class, of everything", func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassANY }, dns.RcodeRefused},
		{"many records", func(m *dns.Msg) {
			for range 3 {
				m.Extra = append(m.Extra, &dns.TXT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeTXT}, Txt: []string{"x"}})
			}
		}, dns.RcodeFormatError},
		{"two questions", func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }, dns.RcodeFormatError},
		{"no question", func(m *dns.Msg) { m.Question = nil }, dns.RcodeFormatError},
		{"an answer in it", func(m *dns.Msg) {
			m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeTXT}, Txt: []string{"x"}}}
		}, dns.RcodeFormatError},
		{"another class", func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }, dns.RcodeRefused},
	} {
		m := query("hel."+zone, dns.TypeSOA)
		tt.spoil(m)
		client := dns.Client{Timeout: 5 * time.Second}
		reply, _, err := client.Exchange(m, r.address)
		if err != nil || reply.Rcode != tt.rcode {
			t.Errorf("%s: got %v, %v, want %s", tt.what, reply, err, dns.RcodeToString[tt.rcode])
		}
	}
	// Garbage and responses get nothing; the server goes on.
	conn, err := net.Dial("udp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	response := query("hel."+zone, dns.TypeSOA)
	response.Response = true
	packed, err := response.Pack()
	if err != nil {
		t.Fatal(err)
	}
	header := []byte{0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0} // alone, of a query with one question
	for _, garbage := range [][]byte{{}, {1, 2, 3}, header, []byte(strings.Repeat("x", 600)), packed} {
		if _, err := conn.Write(garbage); err != nil {
			t.Fatal(err)
		}
	}
	if reply := r.exchange("udp", query("hel."+zone, dns.TypeSOA)); len(reply.Answer) != 1 {
		t.Errorf("after garbage: got %v", reply)
	}
}

// TestTruncated: who has no room for an answer is sent to TCP.
func TestTruncated(t *testing.T) {
	r := start(t, 1000)
	r.why = lease.ReasonCode(strings.Repeat("w", 200))
	q := r.question()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(r.name(q, "fsn")), dns.TypeTXT) // no EDNS: 512 octets
	reply := r.exchange("udp", m)
	if !reply.Truncated || reply.Len() > 512 {
		t.Errorf("got %d octets, truncated %v, want at most 512 and that there is more", reply.Len(), reply.Truncated)
	}
	r.granted(r.exchange("tcp", m), q)
}

// TestLimit: a source that sends too many gets no more than its rate, over UDP.
func TestLimit(t *testing.T) {
	r := start(t, 3)
	conn, err := net.Dial("udp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	packed, err := query("hel."+zone, dns.TypeSOA).Pack()
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if _, err := conn.Write(packed); err != nil {
			t.Fatal(err)
		}
	}
	await(t, "all have come", func() bool { c := r.server.Counts(); return c[responder.Limited]+c[responder.Plain] == 10 })
	if c := r.server.Counts(); c[responder.Plain] != 3 {
		t.Errorf("%d of 10 were answered, want 3", c[responder.Plain])
	}
	if reply := r.exchange("tcp", query("hel."+zone, dns.TypeSOA)); len(reply.Answer) != 1 {
		t.Errorf("over TCP: got %v", reply)
	}
	r.mu.Lock()
	r.now = r.now.Add(time.Second)
	r.mu.Unlock()
	if reply := r.exchange("udp", query("hel."+zone, dns.TypeSOA)); len(reply.Answer) != 1 {
		t.Errorf("a second later: got %v", reply)
	}
}

func TestBadConfig(t *testing.T) {
	for _, tt := range []struct {
		zone string
		says string
	}{
		{"", "quorum.zone"},
		{strings.Repeat("a", 70) + ".com", "no DNS name"},
		{strings.Repeat("abcdefghi.", 15) + "com", "shorter in all"},
	} {
		_, err := responder.New(responder.Config{Zone: tt.zone, Group: "rtz", Region: "hel", Keys: map[lease.Region]ed25519.PublicKey{"hel": nil}})
		if err == nil || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("zone %q: got %v, want %q", tt.zone, err, tt.says)
		}
	}
}

// TestStop: who has asked when the server stops is told that there is no answer, and may ask elsewhere.
func TestStop(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		r := start(t, 1000)
		r.hold = make(chan struct{})
		q := query(r.name(r.question(), "fsn"), dns.TypeTXT)
		client := dns.Client{Net: network, Timeout: 5 * time.Second}
		rcode := make(chan int, 1)
		go func() {
			reply, _, err := client.Exchange(q, r.address)
			if err != nil {
				t.Error(err)
				reply = new(dns.Msg)
			}
			rcode <- reply.Rcode
		}()
		await(t, "the region is asked", func() bool { r.mu.Lock(); defer r.mu.Unlock(); return len(r.asked) == 1 })
		r.stop()
		if got := <-rcode; got != dns.RcodeServerFailure {
			t.Errorf("over %s: got %s, want SERVFAIL", network, dns.RcodeToString[got])
		}
	}
}
