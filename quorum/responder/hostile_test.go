package responder_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum/responder"
)

// send sends packets from one address.
func (r *region) send(conn net.Conn, packets ...[]byte) {
	r.t.Helper()
	for _, p := range packets {
		if _, err := conn.Write(p); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *region) dial(network string) net.Conn {
	r.t.Helper()
	conn, err := net.Dial(network, r.address)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { conn.Close() })
	return conn
}

func (r *region) pack(m *dns.Msg) []byte {
	r.t.Helper()
	packed, err := m.Pack()
	if err != nil {
		r.t.Fatal(err)
	}
	return packed
}

// TestForgedSource: a flood in the name of a resolver uses up its rate, and the resolver's own question still comes
// through: it is told to ask over TCP.
func TestForgedSource(t *testing.T) {
	const allowed = 5
	r := start(t, allowed)
	flood := r.dial("udp")
	for range 2 * allowed {
		r.send(flood, r.pack(query("hel."+zone, dns.TypeSOA)))
	}
	await(t, "the rate is used up", func() bool { return r.server.Counts()[responder.Limited] == allowed })

	q := r.question()
	asks := query(r.name(q, "fsn"), dns.TypeTXT)
	resolver := r.dial("udp") // of the same address: the flood is in its name
	r.send(resolver, r.pack(asks), r.pack(asks))
	resolver.SetReadDeadline(time.Now().Add(time.Minute))
	packet := make([]byte, 4096)
	n, err := resolver.Read(packet)
	if err != nil {
		t.Fatalf("it is not told to ask over TCP: %v", err)
	}
	reply := new(dns.Msg)
	if err := reply.Unpack(packet[:n]); err != nil || !reply.Truncated || reply.Id != asks.Id || reply.Rcode != dns.RcodeSuccess || len(reply.Answer) > 0 {
		t.Errorf("got %v, %v, want that it is to ask over TCP", reply, err)
	}
	if n > len(r.pack(asks)) {
		t.Errorf("a query of %d octets over the rate gets %d: an amplifier", len(r.pack(asks)), n)
	}
	r.wantAsked(0)
	r.granted(r.exchange("tcp", asks), q)
}

// TestGarbageIsLimited: what can't be parsed counts against the rate of its source too, or it would be a way to have
// any number of replies sent to a victim.
func TestGarbageIsLimited(t *testing.T) {
	const allowed = 3
	r := start(t, allowed)
	conn := r.dial("udp")
	garbage := r.pack(query("hel."+zone, dns.TypeSOA))
	garbage = garbage[:len(garbage)-3] // its OPT record is cut off
	for range 20 {
		r.send(conn, garbage)
	}
	await(t, "all have come", func() bool {
		c := r.server.Counts()
		return c[responder.Refused]+c[responder.Limited] == 20
	})
	if c := r.server.Counts(); c[responder.Refused] != allowed {
		t.Errorf("%d of 20 were answered, want %d", c[responder.Refused], allowed)
	}
}

// TestStreamsAreLimited: TCP has a rate of its own. Whoever is over it loses the connection.
func TestStreamsAreLimited(t *testing.T) {
	const allowed = 3
	r := start(t, allowed)
	conn := &dns.Conn{Conn: r.dial("tcp")}
	conn.SetDeadline(time.Now().Add(time.Minute))
	for i := range allowed + 1 {
		if err := conn.WriteMsg(query("hel."+zone, dns.TypeSOA)); err != nil {
			t.Fatal(err)
		}
		_, err := conn.ReadMsg()
		if over := i == allowed; (err != nil) != over {
			t.Errorf("query %d: got %v", i, err)
		}
	}
	if reply := r.exchange("udp", query("hel."+zone, dns.TypeSOA)); len(reply.Answer) != 1 {
		t.Errorf("over UDP: got %v", reply)
	}
}

// TestSlowClients: those who send nothing, or half a query, or take no replies, hold up neither the others nor the end.
func TestSlowClients(t *testing.T) {
	r := start(t, 1000)
	for range 300 {
		r.dial("tcp") // says nothing
	}
	half := r.dial("tcp")
	r.send(half, []byte{0, 200, 1, 2, 3})
	deaf := r.dial("tcp").(*net.TCPConn)
	if err := deaf.SetReadBuffer(1); err != nil {
		t.Fatal(err)
	}
	seen := query(r.name(r.question(), "fsn"), dns.TypeTXT) // on its way, by an attacker: nobody gets longer replies
	for range 128 {
		var framed bytes.Buffer
		packed := r.pack(seen)
		binary.Write(&framed, binary.BigEndian, uint16(len(packed)))
		framed.Write(packed)
		r.send(deaf, framed.Bytes())
	}
	if reply := r.exchange("tcp", query("hel."+zone, dns.TypeSOA)); len(reply.Answer) != 1 {
		t.Errorf("got %v", reply)
	}
	// The first query may take streamTimeout to come.
	half.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := half.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("half a query: got %v, want that the connection is closed", err)
	}
	// The server ends, as start checks.
}

// TestEDNS is about the OPT record alone.
func TestEDNS(t *testing.T) {
	r := start(t, 1000)
	for _, tt := range []struct {
		what  string
		spoil func(*dns.Msg)
		rcode int
		do    bool
		none  bool // no OPT record in the reply
	}{
		{what: "plain", spoil: func(*dns.Msg) {}},
		{what: "no EDNS", spoil: func(m *dns.Msg) { m.Extra = nil }, none: true},
		{what: "DNSSEC OK", spoil: func(m *dns.Msg) { m.IsEdns0().SetDo() }, do: true},
		{what: "a later version", spoil: func(m *dns.Msg) { m.IsEdns0().SetVersion(1) }, rcode: dns.RcodeBadVers},
		{what: "two of them", spoil: func(m *dns.Msg) { m.Extra = append(m.Extra, m.Extra[0]) }, rcode: dns.RcodeFormatError},
		{what: "room for nothing", spoil: func(m *dns.Msg) { m.IsEdns0().SetUDPSize(0) }},
		{what: "room for everything", spoil: func(m *dns.Msg) { m.IsEdns0().SetUDPSize(65535) }},
		{what: "an option that nobody knows", spoil: func(m *dns.Msg) {
			m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_LOCAL{Code: 65001, Data: []byte("x")}}
		}},
	} {
		m := query("hel."+zone, dns.TypeSOA)
		tt.spoil(m)
		reply := r.exchange("udp", m)
		opt := reply.IsEdns0()
		if reply.Rcode != tt.rcode || (opt == nil) != tt.none || (len(reply.Answer) == 1) != (tt.rcode == 0) {
			t.Errorf("%s: got %v", tt.what, reply)
		}
		if opt != nil && (opt.Do() != tt.do || opt.Version() != 0 || opt.UDPSize() != 1232 || len(opt.Option) > 0) {
			t.Errorf("%s: got %v", tt.what, opt)
		}
	}
}

// TestAmplification quotes the bound, and what the replies come to.
func TestAmplification(t *testing.T) {
	const bound = 4
	r := start(t, 1000)
	worst := 0.0
	for _, tt := range []struct {
		name  string
		qtype uint16
	}{
		{"hel." + zone, dns.TypeSOA},
		{"HEL." + zone, dns.TypeSOA},
		{"hel." + zone, dns.TypeANY},
		{"hel." + zone, dns.TypeNS},
		{"hel." + zone, dns.TypeDNSKEY},
		{"x.hel." + zone, dns.TypeTXT},
		{"com", dns.TypeANY},
		{r.name(r.question(), "fsn"), dns.TypeTXT},
		{strings.ToUpper(r.name(r.question(), "fsn")), dns.TypeTXT},
		{r.name(r.question(), "hel"), dns.TypeTXT}, // forged
	} {
		for _, edns := range []bool{false, true} {
			m := new(dns.Msg).SetQuestion(dns.Fqdn(tt.name), tt.qtype)
			if edns {
				m.SetEdns0(4096, true)
			}
			packed := r.pack(m)
			conn := r.dial("udp")
			r.send(conn, packed)
			conn.SetReadDeadline(time.Now().Add(time.Minute))
			reply := make([]byte, 65535)
			n, err := conn.Read(reply)
			if err != nil {
				t.Fatal(err)
			}
			worst = max(worst, float64(n)/float64(len(packed)))
			if n > bound*len(packed) {
				t.Errorf("%s %s, EDNS %v: %d octets get %d", tt.name, dns.TypeToString[tt.qtype], edns, len(packed), n)
			}
		}
	}
	t.Logf("a reply has at most %.1f times the octets of its query; %d times is the bound", worst, bound)

	// What a member may make the region say is bounded too: over it, the asker is sent to TCP.
	r.mu.Lock()
	r.why = lease.ReasonCode(strings.Repeat("w", 330))
	r.mu.Unlock()
	q := r.question()
	m := query(r.name(q, "fsn"), dns.TypeTXT)
	reply := r.exchange("udp", m)
	if !reply.Truncated || len(reply.Answer) > 0 {
		t.Errorf("got %d octets, truncated %v, want that it is to ask over TCP", reply.Len(), reply.Truncated)
	}
	r.granted(r.exchange("tcp", m), q)
}

// TestForgedSources: forged questions from so many sources that no limit of theirs holds. Their signatures are no longer
// verified, and a member's own question still comes through, over TCP.
func TestForgedSources(t *testing.T) {
	const allowed = 3
	r := start(t, allowed)
	for i := range 30 {
		d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.IPv4(127, 0, 1, byte(i))}}
		conn, err := d.Dial("udp", r.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for range allowed {
			r.send(conn, r.pack(query(r.name(r.question(), "hel"), dns.TypeTXT)))
		}
	}
	await(t, "all have come", func() bool {
		c := r.server.Counts()
		return c[responder.BadSignature]+c[responder.Limited] == 30*allowed
	})
	if c := r.server.Counts(); c[responder.BadSignature] != 20*allowed {
		t.Errorf("%d signatures were verified, want %d", c[responder.BadSignature], 20*allowed)
	}
	q := r.question()
	m := query(r.name(q, "fsn"), dns.TypeTXT)
	if reply := r.exchange("udp", m); !reply.Truncated || reply.Rcode != dns.RcodeSuccess {
		t.Errorf("got %v, want that it is to ask over TCP", reply)
	}
	r.wantAsked(0)
	r.granted(r.exchange("tcp", m), q)
	if reply := r.exchange("udp", query("hel."+zone, dns.TypeSOA)); len(reply.Answer) != 1 {
		t.Errorf("what needs no signature: got %v", reply)
	}
}
