package responder_test

import (
	"context"
	"crypto/ed25519"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
	"github.com/openova-io/failoverd/quorum/dnstest"
	"github.com/openova-io/failoverd/quorum/responder"
)

const zone = "failover.example.com"

func keyOf(r lease.Region) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, r)
	return ed25519.NewKeyFromSeed(seed)
}

// A region is a responder of hel on loopback, over a region that grants every pledge.
type region struct {
	t       *testing.T
	server  *responder.Responder
	address string
	stop    context.CancelFunc
	ended   chan error

	mu    sync.Mutex
	now   time.Time
	asked []quorum.Question
	err   error
	why   lease.ReasonCode
	hold  chan struct{} // the region answers when it is closed; nil: at once
	nonce byte
}

func start(t *testing.T, rate int) *region {
	t.Helper()
	r := &region{t: t, now: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC), ended: make(chan error, 1)}
	keys := map[lease.Region]ed25519.PublicKey{}
	for _, m := range []lease.Region{"fsn", "hel"} {
		keys[m] = keyOf(m).Public().(ed25519.PublicKey)
	}
	var err error
	r.server, err = responder.New(responder.Config{
		Zone: "Failover.Example.com.", Group: "rtz", Region: "hel", Keys: keys, PrivateKey: keyOf("hel"),
		Window: 30 * time.Second, Rate: rate, Answer: r.answer,
		Now: func() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now },
	})
	if err != nil {
		t.Fatal(err)
	}
	address, udp, tcp := dnstest.Listen(t)
	r.address = address
	ctx, cancel := context.WithCancel(context.Background())
	r.stop = cancel
	go func() { r.ended <- r.server.Serve(ctx, udp, tcp) }()
	t.Cleanup(r.close)
	return r
}

func (r *region) close() {
	r.stop()
	if err := <-r.ended; err != nil {
		r.t.Error(err)
	}
	r.ended <- nil // for the next one
}

func (r *region) answer(ctx context.Context, q quorum.Question) (quorum.Answer, error) {
	r.mu.Lock()
	r.asked = append(r.asked, q)
	hold, err, why := r.hold, r.err, r.why
	r.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return quorum.Answer{}, ctx.Err()
		}
	}
	return quorum.Answer{Answer: lease.Answer{State: lease.Standby, Epoch: 6, Granted: q.Verb == lease.VerbPledge, Why: why}}, err
}

// wantAsked checks how often the region was asked anything.
func (r *region) wantAsked(n int) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.asked) != n {
		r.t.Errorf("the region was asked %d times, want %d: %+v", len(r.asked), n, r.asked)
	}
}

// question is a new one, by fsn.
func (r *region) question() quorum.Question {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nonce++
	return quorum.Question{Question: lease.Question{Verb: lease.VerbPledge, Epoch: 7, Safety: "0011223344556677"}, Group: "rtz", Asker: "fsn", To: "hel", Nonce: quorum.Nonce{r.nonce}, Sent: r.now}
}

func (r *region) name(q quorum.Question, signer lease.Region) string {
	r.t.Helper()
	name, err := q.Name(zone, keyOf(signer))
	if err != nil {
		r.t.Fatal(err)
	}
	return name
}

// query asks for a name, with room for an answer as resolvers give it.
func query(name string, qtype uint16) *dns.Msg {
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype)
	m.RecursionDesired = false
	return m.SetEdns0(1232, false)
}

func (r *region) exchange(network string, m *dns.Msg) *dns.Msg {
	r.t.Helper()
	client := dns.Client{Net: network, Timeout: 5 * time.Second}
	reply, _, err := client.Exchange(m, r.address)
	if err != nil {
		r.t.Fatalf("%s over %s: %v", m.Question[0].Name, network, err)
	}
	return reply
}

// granted checks that a reply is the answer to q.
func (r *region) granted(reply *dns.Msg, q quorum.Question) {
	r.t.Helper()
	if len(reply.Answer) != 1 || !reply.Authoritative || reply.RecursionAvailable || reply.Truncated {
		r.t.Fatalf("got %v, want one record, authoritative and whole", reply)
	}
	txt := reply.Answer[0].(*dns.TXT)
	if txt.Hdr.Ttl != 0 || txt.Hdr.Name != reply.Question[0].Name {
		r.t.Errorf("got %v, want TTL 0, and the name as it was asked", txt)
	}
	a, err := quorum.ParseText(txt.Txt, q, keyOf("hel").Public().(ed25519.PublicKey))
	if err != nil || !a.Granted || a.Epoch != 6 {
		r.t.Errorf("got %+v, %v, want a granted pledge", a, err)
	}
}
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatal("in vain: " + what)
		}
	}
}
