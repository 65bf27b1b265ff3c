package resolvers

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// A Meddling is what a Meddler does to what passes through it.
type Meddling string

const (
	Honest      Meddling = "honest"         // nothing
	Drops       Meddling = "drops"          // queries arrive, and nothing answers
	Refuses     Meddling = "refuses"        // nothing listens: connections are reset, a datagram brings "port unreachable"
	Slow        Meddling = "slow"           // answers come after Delay
	Elsewhere   Meddling = "from elsewhere" // datagrams are answered from another address, and from another port; TCP is cut
	StripsTXT   Meddling = "strips TXT"     // answers come without their records
	ChangesCase Meddling = "changes case"   // letters of names get capitals, on the way there and back
	Replays     Meddling = "replays"        // the first answer of each kind comes again, under the name that is asked for
	ServFails   Meddling = "SERVFAIL"       // it could not find out
	Truncates   Meddling = "truncates"      // datagrams say nothing but: ask over TCP
)

// Delay is longer than what anyone here waits for an answer.
const Delay = 3 * time.Second

// A Meddler is a DNS proxy, over UDP and TCP, that does to queries and answers what a test tells it to. Where it asks, it
// asks from the address that asked it. Its methods may be used concurrently.
type Meddler struct {
	Address string // host:port

	tb                  testing.TB
	upstream, elsewhere string

	mu    sync.Mutex
	does  Meddling
	met   map[Meddling]int
	first map[string][]dns.RR // answers, by kind of question
	close func()              // ends what listens; nil if nothing does
}

// NewMeddler starts an honest proxy of a server. It ends with the test.
func (l *Lab) NewMeddler(tb testing.TB, address, upstream string) *Meddler {
	tb.Helper()
	m := &Meddler{
		Address: address, tb: tb, upstream: upstream, elsewhere: l.network.next(),
		does: Honest, met: map[Meddling]int{}, first: map[string][]dns.RR{},
	}
	m.Set(Honest)
	tb.Cleanup(func() { m.Set(Refuses) })
	return m
}

// Set says what it does from now on. Queries that have arrived meet what it did before.
func (m *Meddler) Set(does Meddling) {
	m.tb.Helper()
	m.mu.Lock()
	m.does = does
	shut, open := m.close, m.close == nil
	if does == Refuses {
		m.close = nil
	}
	m.mu.Unlock()
	switch {
	case does == Refuses && shut != nil:
		shut()
	case does != Refuses && open:
		shut := m.listen()
		m.mu.Lock()
		m.close = shut
		m.mu.Unlock()
	}
}

// Met is how many queries have met a meddling.
func (m *Meddler) Met(does Meddling) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.met[does]
}

// listen serves until the function is called that it returns.
func (m *Meddler) listen() (shut func()) {
	m.tb.Helper()
	tcp, err := net.Listen("tcp", m.Address)
	if err != nil {
		m.tb.Fatalf("resolvers: meddler: %v", err)
	}
	udp, err := net.ListenPacket("udp", m.Address)
	if err != nil {
		m.tb.Fatalf("resolvers: meddler: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	handler := dns.HandlerFunc(func(w dns.ResponseWriter, query *dns.Msg) { m.serve(ctx, w, query) })
	patient := func() time.Duration { return time.Hour } // what is dropped is not to end
	servers := []*dns.Server{{Listener: tcp, Handler: handler, IdleTimeout: patient}, {PacketConn: udp, Handler: handler}}
	var served sync.WaitGroup
	for _, s := range servers {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		served.Go(func() { _ = s.ActivateAndServe() }) // it ends when it is shut down
		<-started
	}
	return func() {
		cancel()
		for _, s := range servers {
			if err := s.Shutdown(); err != nil {
				m.tb.Errorf("resolvers: shut a meddler down: %v", err)
			}
		}
		served.Wait()
	}
}

func (m *Meddler) serve(ctx context.Context, w dns.ResponseWriter, query *dns.Msg) {
	m.mu.Lock()
	does := m.does
	m.met[does]++
	m.mu.Unlock()
	network := w.RemoteAddr().Network()
	switch {
	case does == Drops:
		return
	case does == ServFails:
		_ = w.WriteMsg(new(dns.Msg).SetRcode(query, dns.RcodeServerFailure)) // who asked may be gone, here and below
		return
	case does == Truncates && network == "udp":
		reply := new(dns.Msg).SetReply(query)
		reply.Truncated = true
		_ = w.WriteMsg(reply)
		return
	case does == Elsewhere && network == "tcp":
		_ = w.Close()
		return
	case does == ChangesCase:
		query = query.Copy()
		query.Question[0].Name = capitals(query.Question[0].Name)
	}
	reply, err := m.ask(ctx, w.RemoteAddr(), query)
	if err != nil {
		_ = w.Close() // of a datagram's socket it closes nothing
		return
	}
	old := m.remember(reply)
	switch does {
	case Slow:
		late := time.NewTimer(Delay)
		defer late.Stop()
		select {
		case <-late.C:
		case <-ctx.Done():
			return
		}
	case StripsTXT:
		reply.Answer = nil
	case ChangesCase:
		for _, rr := range reply.Answer {
			rr.Header().Name = capitals(rr.Header().Name)
		}
	case Replays:
		reply.Answer = old
	case Elsewhere:
		m.answerFromElsewhere(w.RemoteAddr(), reply)
		return
	}
	_ = w.WriteMsg(reply)
}

// ask passes a query on, over the protocol that it came by, and from the address that it came from, unless that is another host's.
func (m *Meddler) ask(ctx context.Context, from net.Addr, query *dns.Msg) (*dns.Msg, error) {
	dialer := &net.Dialer{}
	switch from := from.(type) {
	case *net.UDPAddr:
		if from.IP.IsLoopback() {
			dialer.LocalAddr = &net.UDPAddr{IP: from.IP}
		}
	case *net.TCPAddr:
		if from.IP.IsLoopback() {
			dialer.LocalAddr = &net.TCPAddr{IP: from.IP}
		}
	}
	client := dns.Client{Net: from.Network(), Dialer: dialer, Timeout: 2 * Delay}
	reply, _, err := client.ExchangeContext(ctx, query, m.upstream)
	if err == nil && len(reply.Question) != 1 {
		err = errors.New("the answer is to no question")
	}
	if err == nil {
		reply.Compress = true
	}
	return reply, err
}

// remember returns the first answer to a question of the same kind, as an answer to this one: this one, if it is the first.
func (m *Meddler) remember(reply *dns.Msg) []dns.RR {
	if len(reply.Answer) == 0 {
		return nil
	}
	name := reply.Question[0].Name
	kind := name // the signature and the payload of a question apart, which are its first three labels
	if at := dns.Split(name); len(at) > 3 {
		kind = strings.ToLower(name[at[3]:])
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.first[kind] == nil {
		m.first[kind] = reply.Copy().Answer
	}
	var old []dns.RR
	for _, rr := range m.first[kind] {
		rr = dns.Copy(rr)
		rr.Header().Name = name
		old = append(old, rr)
	}
	return old
}

// answerFromElsewhere sends an answer from another port, and from another address.
func (m *Meddler) answerFromElsewhere(to net.Addr, reply *dns.Msg) {
	packet, err := reply.Pack()
	if err != nil {
		m.tb.Errorf("resolvers: meddler: %v", err)
		return
	}
	for _, from := range []string{ip(m.Address) + ":0", m.elsewhere} {
		conn, err := net.ListenPacket("udp", from)
		if err != nil {
			continue // another answer is on its way from there
		}
		_, _ = conn.WriteTo(packet, to)
		conn.Close()
	}
}

// capitals turns half of the letters of a name into capitals.
func capitals(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' && rand.IntN(2) == 0 {
			return r - 'a' + 'A'
		}
		return r
	}, name)
}
