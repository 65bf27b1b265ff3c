package check

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// patience is how long a resolver may take that is not asked a question of the quorum: one that
// can't reach a region says so after a few seconds only, and that is worth to know.
const patience = 5 * time.Second

// A resolver is what one of quorum.resolvers answers for a name that is always there, the root's.
type resolver struct {
	address  string
	udp, tcp reply
}

// A reply is what came back over one protocol.
type reply struct {
	fault string // empty if it is an answer
	heard bool   // it came from there, whatever it says
	took  time.Duration
}

func (l *live) askResolver(ctx context.Context, address string) resolver {
	r := resolver{address: address}
	var both sync.WaitGroup
	both.Go(func() { r.udp = askRoot(ctx, address, "udp") })
	both.Go(func() { r.tcp = askRoot(ctx, address, "tcp") })
	both.Wait()
	return r
}

func askRoot(ctx context.Context, address, network string) reply {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	c := dns.Client{Net: network, Timeout: patience}
	m, took, err := c.ExchangeContext(ctx, new(dns.Msg).SetQuestion(".", dns.TypeNS).SetEdns0(1232, false), address)
	switch {
	case err != nil:
		return reply{fault: noAnswer(err)}
	case m.Rcode != dns.RcodeSuccess || len(m.Answer) == 0 && !m.Truncated:
		return reply{fault: rcode(m.Rcode) + " without an answer", heard: true}
	}
	return reply{heard: true, took: took}
}

// resolverFindings judge the resolvers: each, and whether enough of them are of use.
func (l *live) resolverFindings(resolvers []resolver) []Finding {
	usable := 0
	for _, r := range resolvers {
		if r.usable() {
			usable++
		}
	}
	var out []Finding
	for _, r := range resolvers {
		f := Finding{Level: OK, Asked: "resolver " + r.address, Resolver: r.address}
		f.Got = "UDP: " + r.udp.String() + ", TCP: " + r.tcp.String()
		switch udp, tcp := r.udp.fault != "", r.tcp.fault != ""; {
		case udp && tcp:
			f.Level = Warning
			if usable < l.Quorum.Required {
				f.Level = Problem
			}
			f.Remedy = "let UDP and TCP to it through, or choose another one"
		case udp:
			f.Level, f.Remedy = Warning, "let UDP to it through: each question loses half of quorum.timeout before it goes by TCP"
		case tcp:
			f.Level, f.Remedy = Warning, "let TCP to it through: a question that is lost by UDP is asked again by TCP"
		}
		out = append(out, f)
	}
	return out
}

// usable reports whether questions can go through it.
func (r resolver) usable() bool { return r.udp.fault == "" || r.tcp.fault == "" }

func (r reply) String() string {
	if r.fault != "" {
		return r.fault
	}
	return "answers in " + millis(r.took)
}

// cutOff reports whether nothing came from any resolver.
func cutOff(resolvers []resolver) bool {
	return !slices.ContainsFunc(resolvers, func(r resolver) bool { return r.udp.heard || r.tcp.heard })
}

// noAnswer says why nothing came.
func noAnswer(err error) string {
	var timeout net.Error
	var op *net.OpError
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return err.Error()
}

// rcode is the name of a response code.
func rcode(code int) string {
	if s, ok := dns.RcodeToString[code]; ok {
		return s
	}
	return fmt.Sprintf("response code %d", code)
}

// below is the name of something of a region in the quorum's zone.
func (l *live) below(labels ...string) string {
	return dns.Fqdn(strings.Join(append(labels, l.Quorum.Zone), "."))
}
