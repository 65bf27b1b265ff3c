package agent_test

import (
	"reflect"
	"sync"
	"testing"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
	"github.com/openova-io/failoverd/quorum/dnstest"
)

// A hostileResolver says what it likes to the questions of b.
type hostileResolver struct {
	address string

	mu    sync.Mutex
	says  func(q quorum.Question, query *dns.Msg) *dns.Msg // nil for nothing
	count int                                              // of questions since says was set
}

func startHostileResolver(t *testing.T) *hostileResolver {
	t.Helper()
	r := &hostileResolver{}
	r.address = dnstest.Serve(t, func(w dns.ResponseWriter, query *dns.Msg) {
		q, err := quorum.ParseName(query.Question[0].Name, hostileZone, hostileKeys())
		if err != nil {
			w.WriteMsg(new(dns.Msg).SetReply(query)) // b asks whether it is cut off
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.count++
		if m := r.says(q, query); m != nil {
			w.WriteMsg(m)
		}
	})
	return r
}

// TestHostileAnswers has all three resolvers bring b what a has not said, or not to this question: that it grants a
// pledge, that it is active for an absurd epoch. b takes nothing, and knows nothing of it.
func TestHostileAnswers(t *testing.T) {
	resolvers := []*hostileResolver{startHostileResolver(t), startHostileResolver(t), startHostileResolver(t)}
	// answer is what a would say.
	answer := func(q quorum.Question, granted bool, epoch uint64) quorum.Answer {
		return quorum.Answer{
			Answer: lease.Answer{State: lease.Standby, Granted: granted, Epoch: epoch, Safety: lease.SafetyHash(hostileParams().Safety())},
			Nonce:  q.Nonce, Verb: q.Verb, Group: q.Group, By: q.To, To: q.Asker,
		}
	}
	reply := func(query *dns.Msg, text ...string) *dns.Msg {
		m := new(dns.Msg).SetReply(query)
		m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: query.Question[0].Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: text}}
		return m
	}
	signed := func(query *dns.Msg, a quorum.Answer, signer lease.Region) *dns.Msg {
		text, err := a.Text(hostileKey(signer))
		if err != nil {
			t.Error(err)
		}
		return reply(query, text...)
	}
	type says = func(q quorum.Question, query *dns.Msg) *dns.Msg
	grants := func(q quorum.Question, query *dns.Msg) *dns.Msg { return signed(query, answer(q, true, 0), "a") }
	changed := func(change func(*quorum.Answer)) says {
		return func(q quorum.Question, query *dns.Msg) *dns.Msg {
			a := answer(q, true, absurdEpoch)
			change(&a)
			return signed(query, a, "a")
		}
	}
	forged := func(q quorum.Question, query *dns.Msg) *dns.Msg {
		return signed(query, answer(q, true, absurdEpoch), "mallory")
	}
	refuses := func(q quorum.Question, query *dns.Msg) *dns.Msg { return signed(query, answer(q, false, 0), "a") }
	cases := []struct {
		what string
		says [3]says // of each resolver
	}{
		{"forged", [3]says{forged, forged, forged}},
		{"forged, by b's own key", all(func(q quorum.Question, query *dns.Msg) *dns.Msg {
			return signed(query, answer(q, true, absurdEpoch), "b")
		})},
		{"forged, but one", [3]says{forged, grants, forged}},
		{"replayed: to an earlier question", all(changed(func(a *quorum.Answer) { a.Nonce = quorum.Nonce{1} }))},
		{"replayed: to another verb", all(changed(func(a *quorum.Answer) { a.Verb = "other" }))},
		{"replayed: of another group", all(changed(func(a *quorum.Answer) { a.Group = "h" }))},
		{"replayed: to another region", all(changed(func(a *quorum.Answer) { a.To = "c" }))},
		{"replayed: by another region", all(changed(func(a *quorum.Answer) { a.By = "b" }))},
		{"malformed: unsigned", all(func(q quorum.Question, query *dns.Msg) *dns.Msg { return reply(query, "granted") })},
		{"malformed: cut off", all(func(q quorum.Question, query *dns.Msg) *dns.Msg {
			m := signed(query, answer(q, true, 0), "a")
			txt := m.Answer[0].(*dns.TXT)
			txt.Txt[0] = txt.Txt[0][:100]
			return m
		})},
		{"malformed: under another name", all(func(q quorum.Question, query *dns.Msg) *dns.Msg {
			m := signed(query, answer(q, true, 0), "a")
			m.Answer[0].Header().Name = "b." + hostileZone + "."
			return m
		})},
		{"malformed: in another section", all(func(q quorum.Question, query *dns.Msg) *dns.Msg {
			m := signed(query, answer(q, true, 0), "a")
			m.Answer, m.Extra = nil, m.Answer
			return m
		})},
		{"malformed: a failure", all(func(q quorum.Question, query *dns.Msg) *dns.Msg {
			m := signed(query, answer(q, true, 0), "a")
			m.Rcode = dns.RcodeServerFailure
			return m
		})},
		{"spoofed: another id", all(func(q quorum.Question, query *dns.Msg) *dns.Msg {
			m := signed(query, answer(q, true, 0), "a")
			m.Id++
			return m
		})},
		{"they differ", [3]says{grants, refuses, func(quorum.Question, *dns.Msg) *dns.Msg { return nil }}},
		{"silence", all(func(quorum.Question, *dns.Msg) *dns.Msg { return nil })},
	}
	say := func(says [3]says) {
		for i, r := range resolvers {
			r.mu.Lock()
			r.says, r.count = says[i], 0
			r.mu.Unlock()
		}
	}
	heard := func(n int) func() bool {
		return func() bool {
			for _, r := range resolvers {
				r.mu.Lock()
				count := r.count
				r.mu.Unlock()
				if count < n {
					return false
				}
			}
			return true
		}
	}
	say(cases[0].says)
	b := startB(t, resolvers[0].address, resolvers[1].address, resolvers[2].address)
	await(t, "b has asked", heard(2))
	before := knownTo(b)
	for _, tt := range cases {
		say(tt.says)
		await(t, tt.what+": b has asked", heard(3))
		if after := knownTo(b); !reflect.DeepEqual(after, before) || after.Authority || after.Answer.Reached {
			t.Errorf("%s: b knows\n%+v, and before that\n%+v", tt.what, after, before)
		}
	}
	// What a says is another thing, so that this test has shown something.
	say(all(grants))
	await(t, "b is active", func() bool { return b.Status().Authority })
	if s := b.Status(); s.Epoch != 1 {
		t.Errorf("b is active for epoch %d, want 1: it has heard of no other", s.Epoch)
	}
}

// all has all resolvers say the same.
func all[T any](says T) [3]T { return [3]T{says, says, says} }
