package agent_test

import (
	"context"
	"net"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
	"github.com/openova-io/failoverd/quorum/dnstest"
	"github.com/openova-io/failoverd/quorum/responder"
)

// TestHostileQuestions sends b what nobody but a member may send, over UDP and TCP: nothing of it comes to the state
// machine, and nothing that b knows changes.
func TestHostileQuestions(t *testing.T) {
	b := startB(t, "127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3")
	var asked atomic.Int64
	server, err := responder.New(responder.Config{
		Zone: hostileZone, Group: "g", Region: "b", Keys: hostileKeys(), PrivateKey: hostileKey("b"),
		Window: responder.DefaultWindow, Rate: 1000, Now: time.Now,
		Answer: func(ctx context.Context, q quorum.Question) (quorum.Answer, error) {
			asked.Add(1)
			return b.Answer(ctx, q)
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	address, udp, tcp := dnstest.Listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx, udp, tcp) }()
	t.Cleanup(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})

	nonce := byte(0)
	question := func(epoch uint64) quorum.Question {
		nonce++
		return quorum.Question{
			Question: lease.Question{Verb: lease.VerbPledge, Epoch: epoch, Authority: true, Safety: lease.SafetyHash(hostileParams().Safety())},
			Group:    "g", Asker: "a", To: "b", Nonce: quorum.Nonce{nonce}, Sent: time.Now(),
		}
	}
	name := func(q quorum.Question, zone string, signer lease.Region) string {
		n, err := q.Name(zone, hostileKey(signer))
		if err != nil {
			t.Fatal(err)
		}
		return n + "."
	}
	valid := func() *dns.Msg {
		return new(dns.Msg).SetQuestion(name(question(absurdEpoch), hostileZone, "a"), dns.TypeTXT).SetEdns0(1232, false)
	}
	named := func(n string) *dns.Msg { return new(dns.Msg).SetQuestion(n, dns.TypeTXT).SetEdns0(1232, false) }
	spoilt := func(spoil func(*dns.Msg)) *dns.Msg { m := valid(); spoil(m); return m }
	changed := func(change func(*quorum.Question), signer lease.Region) *dns.Msg {
		q := question(absurdEpoch)
		change(&q)
		return named(name(q, hostileZone, signer))
	}
	// relabelled is a question that was signed, one label of which was changed afterwards.
	relabelled := func(label int, to string) *dns.Msg {
		labels := strings.Split(valid().Question[0].Name, ".")
		if to == "" {
			to = "a" + labels[label][1:]
			if to == labels[label] {
				to = "b" + labels[label][1:]
			}
		}
		labels[label] = to
		return named(strings.Join(labels, "."))
	}
	nothing := func(*quorum.Question) {}
	hostile := map[string]*dns.Msg{
		"forged: by the key of b":          changed(nothing, "b"),
		"forged: by a key of nobody":       changed(nothing, "mallory"),
		"forged: another signature":        relabelled(0, ""),
		"forged: another payload":          relabelled(2, ""),
		"forged: a status made a pledge":   changed(func(q *quorum.Question) { q.Verb = lease.VerbStatus }, "mallory"),
		"forged: in the name of b":         relabelled(3, "b"),
		"spoofed: unsigned":                relabelled(0, strings.Repeat("a", 63)),
		"spoofed: by no member":            changed(func(q *quorum.Question) { q.Asker = "c" }, "c"),
		"replayed: minutes old":            changed(func(q *quorum.Question) { q.Sent = q.Sent.Add(-2 * time.Minute) }, "a"),
		"replayed: from the future":        changed(func(q *quorum.Question) { q.Sent = q.Sent.Add(2 * time.Minute) }, "a"),
		"replayed: to another region":      changed(func(q *quorum.Question) { q.To = "c" }, "a"),
		"replayed: of another group":       changed(func(q *quorum.Question) { q.Group = "h" }, "a"),
		"replayed: for another zone":       named(name(question(absurdEpoch), "failover.example.net", "a")),
		"malformed: a verb of nobody":      relabelled(4, "take"),
		"malformed: short of a label":      named(strings.SplitAfterN(valid().Question[0].Name, ".", 2)[1]),
		"malformed: senseless labels":      named("x.y.z.a.pledge.g.b." + hostileZone + "."),
		"malformed: zero octets":           named(`\000\255.x.y.a.pledge.g.b.` + hostileZone + "."),
		"malformed: asked for its address": spoilt(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeA }),
		"malformed: asked for anything":    spoilt(func(m *dns.Msg) { m.Question[0].Qtype = dns.TypeANY }),
		"malformed: of class CH":           spoilt(func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }),
		"malformed: a notification":        spoilt(func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }),
		"malformed: an update":             spoilt(func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }),
		"malformed: a response":            spoilt(func(m *dns.Msg) { m.Response = true }),
		"malformed: twice in one":          spoilt(func(m *dns.Msg) { m.Question = append(m.Question, m.Question[0]) }),
		"malformed: of a later EDNS":       spoilt(func(m *dns.Msg) { m.IsEdns0().SetVersion(1) }),
		"malformed: with an answer":        spoilt(func(m *dns.Msg) { m.Answer = []dns.RR{&dns.NULL{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNULL}}} }),
	}
	before := knownTo(b)
	for what, m := range hostile {
		packed, err := m.Pack()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		cut := [][]byte{packed, packed[:len(packed)-20], packed[:13]}
		for _, network := range []string{"udp", "tcp"} {
			for _, p := range cut {
				conn, err := net.Dial(network, address)
				if err != nil {
					t.Fatal(err)
				}
				_, err = (&dns.Conn{Conn: conn}).Write(p)
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
			}
		}
	}
	// Each counts once, but for the response, which is not even looked at.
	await(t, "all have come", func() bool {
		var n int
		for _, c := range server.Counts() {
			n += int(c)
		}
		return n == 2*3*(len(hostile)-1)
	})
	if n := asked.Load(); n != 0 {
		t.Errorf("the state machine was asked %d times, counted %v", n, server.Counts())
	}
	if after := knownTo(b); !reflect.DeepEqual(after, before) {
		t.Errorf("b knows\n%+v, and before that\n%+v", after, before)
	}

	// What a member asks is another thing, so that this test has shown something.
	q := question(1)
	q.Authority = false
	m := named(name(q, hostileZone, "a"))
	reply := exchangeDNS(t, "tcp", address, m)
	if len(reply.Answer) != 1 {
		t.Fatalf("got %v, want an answer", reply)
	}
	answer, err := quorum.ParseText(reply.Answer[0].(*dns.TXT).Txt, q, hostileKeys()["b"])
	if err != nil || !answer.Granted {
		t.Errorf("got %+v, %v, want a pledge for epoch 1: no higher one has been seen", answer, err)
	}
	granted := knownTo(b)
	for range 5 { // replayed within the window
		exchangeDNS(t, "udp", address, m)
	}
	if n := asked.Load(); n != 1 || !reflect.DeepEqual(knownTo(b), granted) {
		t.Errorf("replayed, it was asked %d times; b knows\n%+v, and before that\n%+v", n, knownTo(b), granted)
	}
}
