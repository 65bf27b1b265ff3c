// Package client asks a region a question through public DNS resolvers, all at once, and counts
// what they return (docs/protocol.md §4).
//
// It guarantees that a resolver which lies, hangs or is not there changes nothing but a count, and
// that every call ends with its context or its time-out. Each query has a socket of its own, with
// a port and an id that nobody can know. It leaves to others what follows from a verdict.
package client

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// Config is who asks, and whom. Zone, Resolvers, Required and Timeout are those of the section
// quorum of the configuration.
type Config struct {
	Zone      string
	Resolvers []string // host:port
	Required  int      // how many of them must agree: more than half
	Timeout   time.Duration

	Group      string
	Region     lease.Region // that asks
	PrivateKey ed25519.PrivateKey
	Keys       map[lease.Region]ed25519.PublicKey // of all members
}

// A Client asks. Its methods may be used concurrently.
type Client struct{ cfg Config }

// New returns a client.
func New(cfg Config) *Client {
	cfg.Zone = strings.ToLower(strings.TrimSuffix(cfg.Zone, "."))
	return &Client{cfg}
}

// datagram is the size of the largest answer by UDP that is asked for.
const datagram = 1232

// Ask asks a region through all resolvers at once. It returns as soon as enough of them agree;
// what the others bring, within the time-out, is in the verdict that counted is called with, once,
// from another goroutine, at the end. It fails only where the question can't be asked at all, and
// does not call counted then.
func (c *Client) Ask(ctx context.Context, to lease.Region, what lease.Question, counted func(quorum.Verdict)) (quorum.Verdict, error) {
	q := quorum.Question{Question: what, Group: c.cfg.Group, Asker: c.cfg.Region, To: to, Sent: time.Now()}
	if _, err := rand.Read(q.Nonce[:]); err != nil {
		return quorum.Verdict{}, fmt.Errorf("draw a nonce: %w", err)
	}
	name, err := q.Name(c.cfg.Zone, c.cfg.PrivateKey)
	if err != nil {
		return quorum.Verdict{}, err
	}
	type brought struct {
		i      int
		ballot quorum.Ballot
	}
	ballots := make([]quorum.Ballot, len(c.cfg.Resolvers))
	for i, resolver := range c.cfg.Resolvers {
		ballots[i] = quorum.Ballot{Resolver: resolver, Outcome: quorum.Silent}
	}
	var mu sync.Mutex // of ballots
	soFar := func() quorum.Verdict {
		mu.Lock()
		defer mu.Unlock()
		return quorum.Count(c.cfg.Required, ballots)
	}
	came := make(chan brought, len(ballots))
	// The slow ones are counted too, though nobody waits for them.
	go c.each(context.WithoutCancel(ctx), func(ctx context.Context, i int, resolver string) {
		reply, err := Exchange(ctx, resolver, name, dns.TypeTXT, c.cfg.Timeout)
		b := judge(reply, err, name, q, c.cfg.Keys[to])
		b.Resolver = resolver
		came <- brought{i, b}
	})
	early := make(chan quorum.Verdict, 1)
	go func() {
		told := false
		for n := range ballots {
			b := <-came
			mu.Lock()
			ballots[b.i] = b.ballot
			mu.Unlock()
			verdict := soFar()
			if !told && (verdict.Reached || n == len(ballots)-1) {
				told = true
				early <- verdict
			}
		}
		counted(soFar())
	}()
	select {
	case verdict := <-early:
		return verdict, nil
	case <-ctx.Done():
		return soFar(), nil
	}
}

// CutOff reports whether this machine has itself no way out: no resolver answers anything for a
// name that is always there, the root's. If ctx ends before that is known it is not said.
func (c *Client) CutOff(ctx context.Context) bool {
	answers := make([]bool, len(c.cfg.Resolvers))
	c.each(ctx, func(ctx context.Context, i int, resolver string) {
		_, err := Exchange(ctx, resolver, ".", dns.TypeNS, c.cfg.Timeout)
		answers[i] = err == nil
	})
	return ctx.Err() == nil && !slices.Contains(answers, true)
}

// each does something with all resolvers at once, and returns when all is done.
func (c *Client) each(ctx context.Context, do func(ctx context.Context, i int, resolver string)) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	var all sync.WaitGroup
	for i, resolver := range c.cfg.Resolvers {
		all.Go(func() { do(ctx, i, resolver) })
	}
	all.Wait()
}

// Exchange asks a resolver for a name over UDP, and once more over TCP if that brings no whole
// answer within half of the time.
func Exchange(ctx context.Context, resolver, name string, qtype uint16, timeout time.Duration) (*dns.Msg, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), qtype).SetEdns0(datagram, false)
	udp := dns.Client{Net: "udp", Timeout: timeout / 2, UDPSize: datagram}
	reply, _, err := udp.ExchangeContext(ctx, m, resolver)
	if err == nil && !reply.Truncated {
		return reply, nil
	}
	m.Id = dns.Id()
	tcp := dns.Client{Net: "tcp", Timeout: timeout}
	reply, _, err = tcp.ExchangeContext(ctx, m, resolver)
	return reply, err
}

// judge says what became of a question.
func judge(reply *dns.Msg, err error, name string, q quorum.Question, asked ed25519.PublicKey) quorum.Ballot {
	switch {
	case err != nil:
		return quorum.Ballot{Outcome: quorum.Silent}
	case reply.Rcode == dns.RcodeServerFailure:
		return quorum.Ballot{Outcome: quorum.ServFail}
	}
	// A resolver may put records of its own beside the region's. The best of them counts, since it
	// is signed; of the others, the first says what was wrong.
	worst := quorum.Unsigned
	for _, rr := range reply.Answer {
		txt, ok := rr.(*dns.TXT)
		if !ok || !strings.EqualFold(strings.TrimSuffix(txt.Hdr.Name, "."), name) {
			continue
		}
		answer, err := quorum.ParseText(txt.Txt, q, asked)
		if err == nil {
			return quorum.Ballot{Outcome: quorum.Agreed, Answer: answer}
		}
		if worst == quorum.Unsigned && !errors.Is(err, quorum.ErrUnsigned) {
			worst = quorum.OutcomeOf(err)
		}
	}
	return quorum.Ballot{Outcome: worst}
}
