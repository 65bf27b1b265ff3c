package responder

import (
	"crypto/ed25519"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
)

// FuzzReply: whatever can be parsed gets a reply that can be sent, that is for the same query, and that is not much longer
// than it unless a member asked. Nothing panics.
func FuzzReply(f *testing.F) {
	z, err := newZone(Config{Zone: "failover.example.com", Group: "rtz", Region: "hel",
		Keys: map[lease.Region]ed25519.PublicKey{"fsn": nil, "hel": nil}, Now: time.Now})
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range []string{".", "hel.failover.example.com.", "a.b.c.fsn.pledge.rtz.HEL.failover.example.com.", "\\000.hel.failover.example.com."} {
		m := new(dns.Msg).SetQuestion(name, dns.TypeTXT).SetEdns0(4096, true)
		packed, err := m.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(packed)
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		query := new(dns.Msg)
		if query.Unpack(packet) != nil {
			return
		}
		asked := ""
		reply, kind := z.reply(query, func(name string) ([]string, Kind) { asked = name; return nil, Malformed })
		reply.Truncate(datagramSize(query))
		packed, err := reply.Pack()
		if err != nil {
			t.Fatalf("%v: the reply can't be sent: %v\n%v", query, err, reply)
		}
		if reply.Id != query.Id || !reply.Response || reply.RecursionAvailable || kind == "" {
			t.Errorf("%v gets %v (%s)", query, reply, kind)
		}
		if len(packed) > max(3*len(packet), dns.MinMsgSize) {
			t.Errorf("a query of %d octets gets %d: an amplifier", len(packet), len(packed))
		}
		if asked != "" && !dns.IsSubDomain(z.apex, asked) {
			t.Errorf("the region is asked for %q, which is not below %q", asked, z.apex)
		}
	})
}
