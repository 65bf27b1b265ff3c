// Package resolver is a caching DNS resolver, as small as one can be that stands
// between the agents of the demo: the Internet in miniature. Its root delegates to
// the regions' own servers, and it asks them by UDP and, where an answer does not
// fit, by TCP.
//
// It is honest unless it is told to lie. It has none of what makes public ones
// fast, sturdy and private, and it is for loopback only.
package resolver

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

const (
	// upstreamTimeout is how long it waits for a server by each of UDP and TCP. Then it answers SERVFAIL.
	upstreamTimeout = time.Second
	// datagram is the size of the largest answer by UDP, which no network splits.
	datagram = 1232
)

// A Resolver answers until it is closed. Its methods may be used concurrently.
type Resolver struct {
	address string
	servers []*dns.Server
	served  sync.WaitGroup
	cache   cache

	mu          sync.Mutex
	delegations map[string]string // zone, with the final dot, to host:port
	liar        *liar             // nil: it is honest
}

// New starts a resolver on loopback that knows of no zone. Now is the clock of its cache.
func New(now func() time.Time) (*Resolver, error) {
	udp, tcp, err := Listen()
	if err != nil {
		return nil, err
	}
	r := &Resolver{
		address: tcp.Addr().String(), cache: cache{now: now, said: map[key]entry{}},
		delegations: map[string]string{},
	}
	handler := dns.HandlerFunc(r.serve)
	r.servers = []*dns.Server{{PacketConn: udp, Handler: handler, UDPSize: datagram}, {Listener: tcp, Handler: handler}}
	for _, s := range r.servers {
		started := make(chan struct{}) // one that has not started can't be stopped
		s.NotifyStartedFunc = func() { close(started) }
		r.served.Go(func() { _ = s.ActivateAndServe() }) // it ends when its socket is closed
		<-started
	}
	return r, nil
}

// Address is where it answers, UDP and TCP.
func (r *Resolver) Address() string { return r.address }

// Delegate makes address, a host and a port, the server of a zone, in place of the one before.
func (r *Resolver) Delegate(zone, address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.delegations[strings.ToLower(dns.Fqdn(zone))] = address
}

// Lie has it lie from now on, or be honest again.
func (r *Resolver) Lie(lies bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case !lies:
		r.liar = nil
	case r.liar == nil:
		r.liar = newLiar()
	}
}

// Close stops it, once it has answered what it was asked.
func (r *Resolver) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*upstreamTimeout)
	defer cancel()
	var errs []error
	for _, s := range r.servers {
		errs = append(errs, s.ShutdownContext(ctx))
	}
	r.served.Wait()
	return errors.Join(errs...)
}

func (r *Resolver) serve(w dns.ResponseWriter, query *dns.Msg) {
	reply := new(dns.Msg).SetReply(query)
	reply.RecursionAvailable, reply.Compress = true, true
	if len(query.Question) == 1 && query.Question[0].Qclass == dns.ClassINET {
		r.resolve(query.Question[0], reply)
	} else {
		reply.Rcode = dns.RcodeNotImplemented
	}
	size := dns.MaxMsgSize
	if _, ok := w.RemoteAddr().(*net.UDPAddr); ok {
		size = dns.MinMsgSize
		if opt := query.IsEdns0(); opt != nil {
			size = min(max(int(opt.UDPSize()), size), datagram)
		}
	}
	if query.IsEdns0() != nil {
		reply.SetEdns0(datagram, false)
	}
	reply.Truncate(size)
	_ = w.WriteMsg(reply) // whoever asked asks again
}

// resolve fills in the reply to a question.
func (r *Resolver) resolve(q dns.Question, reply *dns.Msg) {
	zone, server := r.server(q.Name)
	switch {
	case q.Name == "." && q.Qtype == dns.TypeNS:
		reply.Answer = []dns.RR{&dns.NS{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeNS, Class: dns.ClassINET, Ttl: 3600}, Ns: "root."}}
		return
	case q.Name == ".":
		return // NODATA
	case server == "":
		reply.Rcode = dns.RcodeNameError
		return
	}
	said := r.cache.get(q)
	if said == nil {
		if said = ask(q, server); said == nil {
			reply.Rcode = dns.RcodeServerFailure
			return
		}
		r.cache.put(q, said)
	}
	reply.Rcode, reply.Answer, reply.Ns = said.Rcode, said.Answer, said.Ns
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.liar != nil {
		r.liar.spoil(zone, reply)
	}
}

// server is the zone that a name is in, and its server; empty if no zone is delegated that it is in.
func (r *Resolver) server(name string) (zone, address string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	name = strings.ToLower(name)
	for z, a := range r.delegations {
		if dns.IsSubDomain(z, name) && len(z) > len(zone) {
			zone, address = z, a
		}
	}
	return zone, address
}

// ask asks a zone's server; nil if it brings no answer.
func ask(q dns.Question, server string) *dns.Msg {
	query := new(dns.Msg).SetQuestion(q.Name, q.Qtype).SetEdns0(datagram, false)
	query.RecursionDesired = false
	udp := dns.Client{Net: "udp", Timeout: upstreamTimeout, UDPSize: datagram}
	reply, _, err := udp.Exchange(query, server)
	if err == nil && reply.Truncated {
		tcp := dns.Client{Net: "tcp", Timeout: upstreamTimeout}
		query.Id = dns.Id()
		reply, _, err = tcp.Exchange(query, server)
	}
	if err != nil || reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError ||
		len(reply.Question) != 1 || keyOf(reply.Question[0]) != keyOf(q) {
		return nil
	}
	return reply
}
