package responder

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

var noon = time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)

// newServer returns a server of hel that is asked nothing over a network, and the questions that its region is asked.
func newServer(tb testing.TB) (*Responder, *[]quorum.Question) {
	tb.Helper()
	asked := new([]quorum.Question)
	r, err := New(Config{
		Zone: "failover.example.com", Group: "rtz", Region: "hel", PrivateKey: keyOf("hel"),
		Keys:   map[lease.Region]ed25519.PublicKey{"fsn": keyOf("fsn").Public().(ed25519.PublicKey), "hel": keyOf("hel").Public().(ed25519.PublicKey)},
		Window: 30 * time.Second, Rate: 1 << 20, Now: func() time.Time { return noon },
		Answer: func(_ context.Context, q quorum.Question) (quorum.Answer, error) {
			*asked = append(*asked, q)
			return quorum.Answer{Answer: lease.Answer{State: lease.Standby, Epoch: 6, Granted: true, Safety: q.Safety}}, nil
		},
	})
	if err != nil {
		tb.Fatal(err)
	}
	return r, asked
}

func keyOf(r lease.Region) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, r)
	return ed25519.NewKeyFromSeed(seed)
}

// questionOf is a question by fsn as a resolver sends it.
func questionOf(tb testing.TB, nonce uint64) []byte {
	tb.Helper()
	q := quorum.Question{Question: lease.Question{Verb: lease.VerbPledge, Epoch: 7, Safety: "0011223344556677"}, Group: "rtz", Asker: "fsn", To: "hel", Sent: noon}
	binary.BigEndian.PutUint64(q.Nonce[:], nonce)
	name, err := q.Name("failover.example.com", keyOf("fsn"))
	if err != nil {
		tb.Fatal(err)
	}
	return packed(tb, new(dns.Msg).SetQuestion(name+".", dns.TypeTXT).SetEdns0(1232, true))
}

func packed(tb testing.TB, m *dns.Msg) []byte {
	tb.Helper()
	p, err := m.Pack()
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// A writer is one who has asked, over UDP.
type writer struct {
	dns.ResponseWriter
	reply []byte
}

func (*writer) RemoteAddr() net.Addr { return &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 53} }

func (w *writer) WriteMsg(m *dns.Msg) (err error) {
	w.reply, err = m.Pack()
	return err
}

// receive does with a datagram what the library does; nil if nothing is sent, or not by this package.
func receive(r *Responder, packet []byte) (query *dns.Msg, reply []byte) {
	query = new(dns.Msg)
	if len(packet) < 12 || query.Unpack(packet) != nil {
		return nil, nil
	}
	word := func(i int) uint16 { return binary.BigEndian.Uint16(packet[2*i:]) }
	h := dns.Header{Id: word(0), Bits: word(1), Qdcount: word(2), Ancount: word(3), Nscount: word(4), Arcount: word(5)}
	if r.accept(h) != dns.MsgAccept {
		return nil, nil
	}
	var w writer
	r.serve(context.Background(), &w, query)
	return query, w.reply
}

// FuzzServe: whatever is parsed gets one reply, to the same query, that is no amplifier and offers no recursion; and the
// region is asked for what a member has signed alone. Nothing panics.
func FuzzServe(f *testing.F) {
	for _, name := range []string{".", "hel.failover.example.com.", "a.b.c.fsn.pledge.rtz.HEL.failover.example.com.", "\\000.hel.failover.example.com."} {
		f.Add(packed(f, new(dns.Msg).SetQuestion(name, dns.TypeTXT).SetEdns0(4096, true)))
		f.Add(packed(f, new(dns.Msg).SetQuestion(name, dns.TypeSOA)))
	}
	f.Add(questionOf(f, 1))
	f.Fuzz(func(t *testing.T, packet []byte) {
		r, asked := newServer(t)
		query, raw := receive(r, packet)
		if hint := askOverTCP(packet); len(hint) > len(packet) {
			t.Errorf("a query of %d octets over the rate gets %d", len(packet), len(hint))
		}
		for _, q := range *asked {
			if name, err := q.Name(r.zone.parent, keyOf(q.Asker)); err != nil || !dns.IsFqdn(query.Question[0].Name) || dns.CanonicalName(query.Question[0].Name) != name+"." {
				t.Errorf("the region is asked %+v, which is %s, %v", q, name, err)
			}
		}
		if query == nil {
			return
		}
		reply := new(dns.Msg)
		if err := reply.Unpack(raw); err != nil {
			t.Fatalf("%v gets what can't be read: %v", query, err)
		}
		if reply.Id != query.Id || !reply.Response || reply.RecursionAvailable || !slices.Equal(reply.Question, query.Question) {
			t.Errorf("%v gets %v", query, reply)
		}
		if len(raw) > maxAmplification*len(packet) || len(raw) > datagramSize(query) {
			t.Errorf("a query of %d octets gets %d: an amplifier", len(packet), len(raw))
		}
	})
}
