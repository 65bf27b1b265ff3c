package client_test

import (
	"context"
	"crypto/ed25519"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
	"github.com/openova-io/failoverd/quorum/client"
	"github.com/openova-io/failoverd/quorum/dnstest"
	"github.com/openova-io/failoverd/quorum/responder"
)

const zone = "failover.example.com"

func keyOf(r lease.Region) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, r)
	return ed25519.NewKeyFromSeed(seed)
}

func publicOf(r lease.Region) ed25519.PublicKey { return keyOf(r).Public().(ed25519.PublicKey) }

// startRegion starts the responder of hel, which grants every pledge.
func startRegion(t *testing.T) (address string) {
	t.Helper()
	r, err := responder.New(responder.Config{
		Zone: zone, Group: "rtz", Region: "hel", PrivateKey: keyOf("hel"),
		Keys:   map[lease.Region]ed25519.PublicKey{"fsn": publicOf("fsn"), "hel": publicOf("hel")},
		Window: 30 * time.Second, Rate: 1000, Now: time.Now,
		Answer: func(_ context.Context, q quorum.Question) (quorum.Answer, error) {
			return quorum.Answer{Answer: lease.Answer{State: lease.Standby, Epoch: 6, Granted: q.Verb == lease.VerbPledge}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	address, udp, tcp := dnstest.Listen(t)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Serve(ctx, udp, tcp) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return address
}

// A resolver forwards queries to the region, and does something to what it answers. Nil says nothing.
type resolver func(network string, query *dns.Msg, forward func() *dns.Msg) *dns.Msg

func startResolver(t *testing.T, region string, does resolver) (address string) {
	t.Helper()
	return dnstest.Serve(t, func(w dns.ResponseWriter, m *dns.Msg) {
		network := w.RemoteAddr().Network()
		reply := does(network, m, func() *dns.Msg {
			up := dns.Client{Net: "tcp", Timeout: 5 * time.Second}
			reply, _, err := up.Exchange(m.Copy(), region)
			if err != nil {
				return new(dns.Msg).SetRcode(m, dns.RcodeServerFailure)
			}
			return reply
		})
		if reply != nil {
			reply.Id = m.Id
			w.WriteMsg(reply)
		}
	})
}

func honest(_ string, _ *dns.Msg, forward func() *dns.Msg) *dns.Msg { return forward() }

func silent(string, *dns.Msg, func() *dns.Msg) *dns.Msg { return nil }

// texts changes every TXT record of an answer.
func texts(change func(*dns.TXT)) resolver {
	return func(_ string, _ *dns.Msg, forward func() *dns.Msg) *dns.Msg {
		reply := forward()
		for _, rr := range reply.Answer {
			if txt, ok := rr.(*dns.TXT); ok {
				change(txt)
			}
		}
		return reply
	}
}

// TestOneResolver does to one of three resolvers what may happen to it: nothing changes but a count.
// Done to two, there is no quorum unless the answer is the region's all the same.
func TestOneResolver(t *testing.T) {
	region := startRegion(t)
	var mu sync.Mutex
	var old *dns.Msg
	for _, tt := range []struct {
		name    string
		does    resolver
		outcome quorum.Outcome
	}{
		{"honest", honest, quorum.Agreed},
		{"down", silent, quorum.Silent},
		{"fails", func(_ string, m *dns.Msg, _ func() *dns.Msg) *dns.Msg {
			return new(dns.Msg).SetRcode(m, dns.RcodeServerFailure)
		}, quorum.ServFail},
		{"UDP is filtered", func(network string, _ *dns.Msg, forward func() *dns.Msg) *dns.Msg {
			if network == "udp" {
				return nil
			}
			return forward()
		}, quorum.Agreed},
		{"truncates", func(network string, m *dns.Msg, forward func() *dns.Msg) *dns.Msg {
			if network == "tcp" {
				return forward()
			}
			reply := new(dns.Msg).SetReply(m)
			reply.Truncated = true
			return reply
		}, quorum.Agreed},
		{"strips TXT", func(_ string, _ *dns.Msg, forward func() *dns.Msg) *dns.Msg {
			reply := forward()
			reply.Answer = nil
			return reply
		}, quorum.Unsigned},
		{"says there is no such name", func(_ string, m *dns.Msg, _ func() *dns.Msg) *dns.Msg {
			return new(dns.Msg).SetRcode(m, dns.RcodeNameError)
		}, quorum.Unsigned},
		{"answers with a page of its own", texts(func(txt *dns.TXT) { txt.Txt = []string{"v=spf1 -all"} }), quorum.Unsigned},
		{"flips a bit", texts(func(txt *dns.TXT) {
			txt.Txt[0] = "A" + txt.Txt[0][1:]
			txt.Txt[0] = strings.Replace(txt.Txt[0], "e", "f", 1)
		}), quorum.BadSignature},
		{"changes the case of names", texts(func(txt *dns.TXT) { txt.Hdr.Name = strings.ToUpper(txt.Hdr.Name) }), quorum.Agreed},
		{"splits strings elsewhere", texts(func(txt *dns.TXT) {
			all := strings.Join(txt.Txt, "")
			txt.Txt = []string{all[:7], all[7:100], all[100:]}
		}), quorum.Agreed},
		{"adds records", func(_ string, m *dns.Msg, forward func() *dns.Msg) *dns.Msg {
			reply := forward()
			for _, s := range []string{"ad", "another"} {
				reply.Answer = append([]dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: m.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: []string{s}}}, reply.Answer...)
			}
			return reply
		}, quorum.Agreed},
		{"replays an answer of before", func(_ string, m *dns.Msg, forward func() *dns.Msg) *dns.Msg {
			reply := forward()
			mu.Lock()
			defer mu.Unlock()
			if old == nil {
				old = reply.Copy()
			}
			replayed := old.Copy()
			replayed.Question = m.Question
			for _, rr := range replayed.Answer {
				rr.Header().Name = m.Question[0].Name
			}
			return replayed
		}, quorum.Replayed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			good, other := startResolver(t, region, honest), startResolver(t, region, honest)
			spoilt := startResolver(t, region, tt.does)
			c := newClient("fsn", good, spoilt, other)
			var verdict quorum.Verdict
			for range 2 { // once before, so that there is something to replay
				verdict = ask(t, c, lease.VerbPledge)
			}
			if !verdict.Reached || !verdict.Answer.Granted || verdict.Answer.Epoch != 6 {
				t.Errorf("got %+v: %s, want a granted pledge", verdict.Answer, verdict.Describe())
			}
			got := []quorum.Outcome{verdict.Ballots[0].Outcome, verdict.Ballots[1].Outcome, verdict.Ballots[2].Outcome}
			if want := []quorum.Outcome{quorum.Agreed, tt.outcome, quorum.Agreed}; !slices.Equal(got, want) {
				t.Errorf("outcomes are %v, want %v", got, want)
			}
		})
	}
}

func TestTwoResolversDown(t *testing.T) {
	region := startRegion(t)
	c := newClient("fsn", startResolver(t, region, honest), startResolver(t, region, silent), "127.0.0.1:1")
	verdict := ask(t, c, lease.VerbStatus)
	if verdict.Reached || verdict.Answer != (quorum.Answer{}) {
		t.Errorf("got %+v, want no quorum and no answer", verdict)
	}
	if d := verdict.Describe(); !strings.Contains(d, "1 of 3 resolvers agree, 2 are required") {
		t.Errorf("it says %q", d)
	}
	if c.CutOff(t.Context()) {
		t.Error("it takes itself for cut off, and one resolver answers")
	}
}

// TestCutOff: nobody answers anything, so the fault is on this side.
func TestCutOff(t *testing.T) {
	region := startRegion(t)
	c := newClient("fsn", startResolver(t, region, silent), startResolver(t, region, silent), "127.0.0.1:1")
	if !c.CutOff(t.Context()) {
		t.Error("it does not see that it is cut off")
	}
}

// TestNoTimeLeft: who can't wait any longer is told what has come so far.
func TestNoTimeLeft(t *testing.T) {
	region := startRegion(t)
	release := make(chan struct{})
	slow := func(_ string, _ *dns.Msg, forward func() *dns.Msg) *dns.Msg {
		<-release
		return forward()
	}
	defer close(release)
	good, one, other := startResolver(t, region, honest), startResolver(t, region, slow), startResolver(t, region, slow)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	verdict, err := newClient("fsn", good, one, other).Ask(ctx, "hel", question(lease.VerbPledge), func(quorum.Verdict) {})
	want := "1 of 3 resolvers agree, 2 are required: " + one + " silent, " + other + " silent"
	if got := verdict.Describe(); err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// TestStranger: a question that the region does not take gets no quorum, by resolvers that are honest.
func TestStranger(t *testing.T) {
	region := startRegion(t)
	resolvers := []string{startResolver(t, region, honest), startResolver(t, region, honest), startResolver(t, region, honest)}
	if verdict := ask(t, newClient("mallory", resolvers...), lease.VerbPledge); verdict.Reached {
		t.Errorf("got %+v, want no quorum", verdict)
	}
	c := newClient("fsn", resolvers...)
	if _, err := c.Ask(t.Context(), "HEL", question(lease.VerbPledge), nil); err == nil {
		t.Error("it asks what can't be asked")
	}
}

// TestEarly: it does not wait for a resolver that is not needed.
func TestEarly(t *testing.T) {
	region := startRegion(t)
	release := make(chan struct{})
	slow := startResolver(t, region, func(_ string, _ *dns.Msg, forward func() *dns.Msg) *dns.Msg {
		<-release
		return forward()
	})
	c := newClient("fsn", startResolver(t, region, honest), slow, startResolver(t, region, honest))
	whole := make(chan quorum.Verdict, 1)
	verdict, err := c.Ask(t.Context(), "hel", question(lease.VerbPledge), func(v quorum.Verdict) { whole <- v })
	close(release) // it would not have come here before
	if err != nil || !verdict.Reached || verdict.Ballots[1].Outcome != quorum.Silent {
		t.Errorf("got %s, %v, want a quorum without the slow one", verdict.Describe(), err)
	}
	if v := <-whole; v.Ballots[1].Outcome != quorum.Agreed {
		t.Errorf("in the end got %s, want that all agree", v.Describe())
	}
}

// newClient is a client of a region; one that is no member signs with a key that nobody knows, in
// the name of fsn.
func newClient(r lease.Region, resolvers ...string) *client.Client {
	return client.New(client.Config{
		Zone: zone, Resolvers: resolvers, Required: 2, Timeout: 3 * time.Second, Group: "rtz", Region: "fsn",
		PrivateKey: keyOf(r), Keys: map[lease.Region]ed25519.PublicKey{"hel": publicOf("hel")},
	})
}

func question(verb lease.Verb) lease.Question {
	return lease.Question{Verb: verb, Epoch: 7, Safety: "0011223344556677"}
}

// ask asks hel, and returns what all resolvers together brought.
func ask(t *testing.T, c *client.Client, verb lease.Verb) quorum.Verdict {
	t.Helper()
	whole := make(chan quorum.Verdict, 1)
	first, err := c.Ask(t.Context(), "hel", question(verb), func(v quorum.Verdict) { whole <- v })
	if err != nil {
		t.Fatal(err)
	}
	v := <-whole
	if first.Reached != v.Reached || first.Answer != v.Answer {
		t.Errorf("it said %s first, and %s in the end", first.Describe(), v.Describe())
	}
	return v
}
