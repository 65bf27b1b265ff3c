package demo

import (
	"context"
	"time"

	"github.com/openova-io/failoverd/demo/resolver"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
	"github.com/openova-io/failoverd/quorum/client"
	"github.com/openova-io/failoverd/quorum/responder"
)

const (
	zone          = "failover.demo" // <region>.<zone> is delegated to that region's agent
	resolverCount = 3
	required      = 2 // of them must agree
	// questionTimeout leaves as much of request_timeout again to find out whether all is silent.
	questionTimeout = 250 * time.Millisecond
)

// questions is the way from an agent to the resolvers. When it is cut, nothing comes back.
type questions struct {
	client *client.Client
	life   *life
	tally  *tally
}

// Ask implements agent.Quorum.
func (q questions) Ask(ctx context.Context, to lease.Region, what lease.Question, counted func(quorum.Verdict)) (quorum.Verdict, error) {
	if !q.out(ctx) {
		return quorum.Verdict{Required: required}, nil
	}
	begun := time.Now()
	verdict, err := q.client.Ask(ctx, to, what, func(v quorum.Verdict) {
		q.tally.add(v)
		counted(v)
	})
	if verdict.Reached {
		q.life.note(measured{question: time.Since(begun)})
	}
	return verdict, err
}

// CutOff implements agent.Quorum.
func (q questions) CutOff(ctx context.Context) bool { return !q.out(ctx) || q.client.CutOff(ctx) }

// out reports whether something can leave the region, which waits for an answer otherwise.
func (q questions) out(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	select {
	case <-q.life.routed.passed():
	case <-ctx.Done():
		return false
	}
	sent := false
	_ = q.life.effect(func() error { sent = true; return nil })
	return sent
}

// replies is the way from the resolvers to an agent. Questions to one that is cut off, frozen or
// killed get no answer.
type replies struct {
	agent func(context.Context, quorum.Question) (quorum.Answer, error)
	life  *life
}

func (r replies) answer(ctx context.Context, q quorum.Question) (said quorum.Answer, err error) {
	select {
	case <-r.life.routed.passed():
	case <-ctx.Done():
		return quorum.Answer{}, ctx.Err()
	}
	answer, err := r.agent(ctx, q) // which hangs while the agent is frozen
	if err != nil {
		return quorum.Answer{}, err
	}
	err = errKilled
	_ = r.life.effect(func() error { said, err = answer, nil; return nil })
	return said, err
}

// A dnsServer is where an agent is asked.
type dnsServer struct {
	address string
	stop    context.CancelFunc
	ended   chan error
}

func serveDNS(cfg responder.Config) (*dnsServer, error) {
	r, err := responder.New(cfg)
	if err != nil {
		return nil, err
	}
	udp, tcp, err := resolver.Listen()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	s := &dnsServer{tcp.Addr().String(), cancel, make(chan error, 1)}
	go func() { s.ended <- r.Serve(ctx, udp, tcp) }()
	return s, nil
}

func (s *dnsServer) close() error {
	s.stop()
	return <-s.ended
}
