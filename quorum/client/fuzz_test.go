package client

import (
	"crypto/ed25519"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// FuzzJudge: no reply makes it panic, and none agrees but one that carries the answer that the region signed for this
// question, under this name.
func FuzzJudge(f *testing.F) {
	seed := slices.Repeat([]byte{1}, ed25519.SeedSize)
	key := ed25519.NewKeyFromSeed(seed)
	q := quorum.Question{
		Question: lease.Question{Verb: lease.VerbPledge, Epoch: 7, Safety: "0011223344556677"},
		Group:    "rtz", Asker: "fsn", To: "hel", Nonce: quorum.Nonce{1}, Sent: time.UnixMilli(1_764_072_000_000),
	}
	name, err := q.Name("failover.example.com", key)
	if err != nil {
		f.Fatal(err)
	}
	want := quorum.Answer{Answer: lease.Answer{State: lease.Standby, Epoch: 6, Granted: true}, Nonce: q.Nonce, Verb: q.Verb, Group: q.Group, By: q.To, To: q.Asker}
	text, err := want.Text(key)
	if err != nil {
		f.Fatal(err)
	}
	replayed := want
	replayed.Nonce = quorum.Nonce{2}
	old, err := replayed.Text(key)
	if err != nil {
		f.Fatal(err)
	}
	for _, txt := range [][]string{text, old, {"v=spf1 -all"}, {text[0]}} {
		for _, owner := range []string{name, strings.ToUpper(name), "other.example.com"} {
			reply := new(dns.Msg).SetReply(new(dns.Msg).SetQuestion(name+".", dns.TypeTXT))
			reply.Answer = []dns.RR{
				&dns.CNAME{Hdr: dns.RR_Header{Name: dns.Fqdn(name), Rrtype: dns.TypeCNAME, Class: dns.ClassINET}, Target: "other.example.com."},
				&dns.TXT{Hdr: dns.RR_Header{Name: dns.Fqdn(owner), Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: txt},
			}
			packed, err := reply.Pack()
			if err != nil {
				f.Fatal(err)
			}
			f.Add(packed)
		}
	}
	f.Fuzz(func(t *testing.T, packet []byte) {
		reply := new(dns.Msg)
		err := reply.Unpack(packet)
		ballot := judge(reply, err, name, q, key.Public().(ed25519.PublicKey))
		if ballot.Outcome == "" {
			t.Errorf("%v: no outcome", reply)
		}
		if ballot.Outcome != quorum.Agreed {
			if ballot.Answer != (quorum.Answer{}) {
				t.Errorf("%v: %s, and an answer all the same: %+v", reply, ballot.Outcome, ballot.Answer)
			}
			return
		}
		signed := slices.ContainsFunc(reply.Answer, func(rr dns.RR) bool {
			txt, ok := rr.(*dns.TXT)
			return ok && dns.CanonicalName(txt.Hdr.Name) == name+"." && strings.Join(txt.Txt, "") == strings.Join(text, "")
		})
		if !signed || ballot.Answer != want {
			t.Errorf("%v: agreed on %+v", reply, ballot.Answer)
		}
	})
}
