package client_test

import (
	"context"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
	"github.com/openova-io/failoverd/quorum/dnstest"
)

// startSpoofed starts a resolver that is honest, and an attacker who gets a word in before each of its replies over UDP.
func startSpoofed(t *testing.T, region string, attack func(w dns.ResponseWriter, lie *dns.Msg)) (address string) {
	t.Helper()
	return dnstest.Serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		up := dns.Client{Net: "tcp", Timeout: 5 * time.Second}
		reply, _, err := up.Exchange(m.Copy(), region)
		if err != nil {
			t.Error(err)
			return
		}
		if w.RemoteAddr().Network() == "udp" {
			lie := new(dns.Msg).SetReply(m)
			lie.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{"a lie"}}}
			attack(w, lie)
		}
		reply.Id = m.Id
		w.WriteMsg(reply)
	})
}

// TestSpoofedAnswers: what comes from elsewhere, or with an id that nobody knows, is not even an answer, and what can't
// be read has the question asked again, over TCP. The resolver agrees all the same. Only who knows port, id and name can
// make it one that does not count.
func TestSpoofedAnswers(t *testing.T) {
	region := startRegion(t)
	elsewhere, err := net.ListenPacket("udp", "127.0.0.2:0")
	if err != nil {
		t.Fatal(err)
	}
	defer elsewhere.Close()
	pack := func(m *dns.Msg) []byte {
		p, err := m.Pack()
		if err != nil {
			t.Error(err)
		}
		return p
	}
	for _, tt := range []struct {
		what    string
		attack  func(w dns.ResponseWriter, lie *dns.Msg)
		outcome quorum.Outcome
	}{
		{"with other ids", func(w dns.ResponseWriter, lie *dns.Msg) {
			for range 100 {
				lie.Id++
				w.WriteMsg(lie)
			}
		}, quorum.Agreed},
		{"from elsewhere", func(w dns.ResponseWriter, lie *dns.Msg) {
			elsewhere.WriteTo(pack(lie), w.RemoteAddr())
		}, quorum.Agreed},
		{"garbage", func(w dns.ResponseWriter, _ *dns.Msg) { w.Write([]byte("garbage that is longer than a header")) }, quorum.Agreed},
		{"a header alone", func(w dns.ResponseWriter, lie *dns.Msg) { w.Write(pack(lie)[:12]) }, quorum.Unsigned},
		{"half of it", func(w dns.ResponseWriter, lie *dns.Msg) { w.Write(pack(lie)[:60]) }, quorum.Agreed},
		{"who knows all", func(w dns.ResponseWriter, lie *dns.Msg) { w.WriteMsg(lie) }, quorum.Unsigned},
	} {
		t.Run(tt.what, func(t *testing.T) {
			honest := startResolver(t, region, honest)
			c := newClient("fsn", honest, startSpoofed(t, region, tt.attack), "127.0.0.1:1")
			verdict := ask(t, c, lease.VerbPledge)
			got := []quorum.Outcome{verdict.Ballots[0].Outcome, verdict.Ballots[1].Outcome, verdict.Ballots[2].Outcome}
			if want := []quorum.Outcome{quorum.Agreed, tt.outcome, quorum.Silent}; !slices.Equal(got, want) {
				t.Errorf("outcomes are %v, want %v", got, want)
			}
			if verdict.Reached != (tt.outcome == quorum.Agreed) {
				t.Errorf("reached: %v, with %v", verdict.Reached, got)
			}
		})
	}
}

// TestCutOffUnknown: who has no time left to find out does not say that it is cut off.
func TestCutOffUnknown(t *testing.T) {
	c := newClient("fsn", startResolver(t, startRegion(t), honest), "127.0.0.1:1", "127.0.0.1:2")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if c.CutOff(ctx) {
		t.Error("it takes itself for cut off, and has asked nobody")
	}
}
