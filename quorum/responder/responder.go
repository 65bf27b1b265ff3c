package responder

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/time/rate"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// Config is what a Responder serves, and how.
type Config struct {
	Zone       string // quorum.zone: <region>.<zone> is served
	Group      string
	Region     lease.Region
	Keys       map[lease.Region]ed25519.PublicKey // of every member
	PrivateKey ed25519.PrivateKey

	// Window is by how much the wall clocks of two regions may differ, the way of a question
	// included. It is long enough for slow ways, and so short that a replay is of no use.
	Window time.Duration
	// Rate is how many queries a second one source may send, in the long run, over UDP and as many
	// over TCP; it may send as many at once. Sources are IPv4 addresses and IPv6 /56 networks.
	Rate int

	// Answer asks the region. It is called at most once for each question, and only for those
	// that count; it returns when ctx ends. Its errors mean that the region does not answer.
	Answer func(ctx context.Context, q quorum.Question) (quorum.Answer, error)

	Now func() time.Time // the wall clock
}

// What a daemon serves with.
const (
	// DefaultWindow is its Config.Window.
	DefaultWindow = 30 * time.Second
	// DefaultRate is its Config.Rate: each member asks once every few seconds, through a handful of a
	// resolver's addresses.
	DefaultRate = 50
)

// answerTimeout is how long the region may take to answer. Resolvers ask again after about a
// second.
const answerTimeout = time.Second

// maxPending is how many questions of one member count at once. A member asks one for each other
// region and renewal.
const maxPending = 256

// maxHints is how many sources a second, of all that send too many, are told to ask over TCP: so
// many take a small part of one processor.
const maxHints = 1000

// manySources is at how many sources' rate of questions over UDP a signature is no longer verified,
// which takes thirty times as long as anything else: from then on all who ask are told to ask over
// TCP, where nobody can forge his source. A group asks far less.
const manySources = 20

// A Responder is the server. Its methods may be used concurrently.
type Responder struct {
	cfg       Config
	zone      zone
	datagrams limiter
	streams   limiter       // apart from datagrams, whose sources may be forged
	hints     *rate.Limiter // to ask over TCP
	verified  *rate.Limiter // questions by datagrams

	mu      sync.Mutex
	window  *quorum.Window
	answers map[asked]*answer // to questions that count, or counted a short time ago
	swept   time.Time
	counts  map[Kind]uint64
}

// asked tells a question from all others.
type asked struct {
	by    lease.Region
	nonce quorum.Nonce
}

// An answer is to one question, whoever brings it.
type answer struct {
	ready chan struct{} // closed when text is there
	text  []string      // nil: the region did not answer
	until time.Time     // nobody can bring the question any more
}

// New returns a server that serves nothing yet.
func New(cfg Config) (*Responder, error) {
	zone, err := newZone(cfg)
	if err != nil {
		return nil, err
	}
	return &Responder{
		cfg: cfg, zone: zone,
		datagrams: newLimiter(cfg.Rate), streams: newLimiter(cfg.Rate), hints: rate.NewLimiter(maxHints, maxHints),
		verified: rate.NewLimiter(rate.Limit(manySources*cfg.Rate), manySources*cfg.Rate),
		window:   quorum.NewWindow(cfg.Window, maxPending), answers: map[asked]*answer{}, counts: map[Kind]uint64{},
	}, nil
}

// Serve answers what comes on both, the first of which is a *net.UDPConn, until ctx ends; then it
// answers what has come, with SERVFAIL where the region has not said anything yet, closes both and
// returns nil. It returns an error if one of them can't be read any more.
func (r *Responder) Serve(ctx context.Context, udp net.PacketConn, tcp net.Listener) error {
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) { r.serve(ctx, w, query) })
	servers := []*dns.Server{
		{PacketConn: udp, Handler: handler, MsgAcceptFunc: r.accept, MsgInvalidFunc: r.garbage,
			DecorateReader: func(inner dns.Reader) dns.Reader { return &datagramReader{Reader: inner, r: r} }},
		{Listener: &streamListener{Listener: tcp, most: maxStreams}, Handler: handler, MsgAcceptFunc: r.accept, MsgInvalidFunc: r.garbage,
			ReadTimeout: streamTimeout, IdleTimeout: func() time.Duration { return streamIdle }, MaxTCPQueries: 128},
	}
	ended := make(chan error, len(servers))
	for _, s := range servers {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { ended <- s.ActivateAndServe() }()
		select {
		case <-started: // one that has not started can't be stopped
		case err := <-ended:
			return errors.Join(fmt.Errorf("serve DNS: %w", err), udp.Close(), tcp.Close())
		}
	}
	var errs []error
	left := len(servers)
	select {
	case <-ctx.Done():
	case err := <-ended:
		errs = append(errs, fmt.Errorf("serve DNS: %w", err))
		left--
	}
	stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*answerTimeout)
	defer cancel()
	for _, s := range servers {
		_ = s.ShutdownContext(stopping) // it closes its socket in any case
	}
	for range left {
		if err := <-ended; err != nil {
			errs = append(errs, fmt.Errorf("serve DNS: %w", err))
		}
	}
	return errors.Join(errs...)
}

// accept decides by the header alone what is worth parsing: a query with one question, and no
// records but those that come with queries of some kind (RFC 1995 §3, RFC 6891). Responses are
// dropped, or two servers could talk to one another for ever.
func (r *Responder) accept(h dns.Header) dns.MsgAcceptAction {
	const response = 1 << 15
	switch opcode := h.Bits >> 11 & 0xf; {
	case h.Bits&response != 0:
		return dns.MsgIgnore
	case opcode != dns.OpcodeQuery:
		r.count(Refused)
		return dns.MsgRejectNotImplemented
	case h.Qdcount != 1 || h.Ancount > 0 || h.Nscount > 1 || h.Arcount > 2:
		r.count(Refused)
		return dns.MsgReject
	}
	return dns.MsgAccept
}

func (r *Responder) serve(ctx context.Context, w dns.ResponseWriter, query *dns.Msg) {
	_, datagram := w.RemoteAddr().(*net.UDPAddr)
	if !datagram && !r.streams.allow(source(w.RemoteAddr()), r.cfg.Now()) {
		r.count(Limited)
		_ = w.Close()
		return
	}
	reply, kind := r.zone.reply(query, func(name string) ([]string, Kind) {
		if datagram && !r.verified.AllowN(r.cfg.Now(), 1) {
			return nil, Limited
		}
		return r.ask(ctx, name)
	})
	r.count(kind)
	if datagram {
		fit(reply, query)
	}
	_ = w.WriteMsg(reply) // whoever asked asks again
}

// garbage counts what can't be parsed.
func (r *Responder) garbage([]byte, error) { r.count(Refused) }

func source(addr net.Addr) netip.Addr {
	switch a := addr.(type) {
	case *net.UDPAddr:
		return a.AddrPort().Addr()
	case *net.TCPAddr:
		return a.AddrPort().Addr()
	}
	return netip.Addr{} // all others share one limit
}

// ask asks the region what is asked by name, once for all who bring the same question.
func (r *Responder) ask(ctx context.Context, name string) ([]string, Kind) {
	q, err := quorum.ParseName(name, r.zone.parent, r.cfg.Keys)
	if err != nil {
		return nil, refusal(err)
	}
	a, first, kind := r.admit(q)
	if a == nil {
		return nil, kind
	}
	if first {
		a.text = r.answer(ctx, q)
		close(a.ready)
	}
	select {
	case <-a.ready:
	case <-ctx.Done():
		return nil, Unanswered
	}
	if a.text == nil {
		return nil, Unanswered
	}
	return a.text, kind
}

// admit returns the place of the answer to q, and whether this is the one who is to fill it; nil
// if the question does not count.
func (r *Responder) admit(q quorum.Question) (a *answer, first bool, kind Kind) {
	now := r.cfg.Now()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sweep(now)
	first, err := r.window.Admit(q, now)
	if err != nil {
		return nil, false, refusal(err)
	}
	if !first {
		return r.answers[asked{q.Asker, q.Nonce}], false, Repeated
	}
	a = &answer{ready: make(chan struct{}), until: q.Sent.Add(r.cfg.Window)}
	r.answers[asked{q.Asker, q.Nonce}] = a
	return a, true, Answered
}

// sweep forgets answers to questions that nobody can bring any more.
func (r *Responder) sweep(now time.Time) {
	if now.Sub(r.swept) < r.cfg.Window && now.After(r.swept) {
		return
	}
	r.swept = now
	for question, a := range r.answers {
		if now.After(a.until) {
			delete(r.answers, question)
		}
	}
}

// answer asks the region and signs what it says; nil if it says nothing.
func (r *Responder) answer(ctx context.Context, q quorum.Question) []string {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	a, err := r.cfg.Answer(ctx, q)
	if err != nil {
		return nil
	}
	a.Nonce, a.Verb, a.Group, a.By, a.To = q.Nonce, q.Verb, q.Group, r.cfg.Region, q.Asker
	text, err := a.Text(r.cfg.PrivateKey)
	if err != nil {
		return nil
	}
	return text
}

func (r *Responder) count(kind Kind) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.counts[kind]++
}

// Counts returns how many queries of each kind there were.
func (r *Responder) Counts() map[Kind]uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := map[Kind]uint64{}
	for kind, n := range r.counts {
		out[kind] = n
	}
	return out
}
