package check

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum/client"
)

// A delegation is where one resolver gets to when it looks for a region.
type delegation struct {
	fault fault         // of the region's own server nothing was seen
	clock time.Duration // by how much at least that one's wall clock is ahead of this one's
	timed bool          // clock is known
}

// What a resolver says of a region that it does not reach, with what that means.
const (
	remedyUnreached = "see that failoverd run runs there, and that port 53, UDP and TCP, leads to its quorum.listen; if it answers when it is asked directly, see docs/dns.md"
	remedyLame      = "look for its NS record, with an address, in the parent zone: docs/dns.md"
)

var unanswered = fault{"SERVFAIL: the resolver gets no answer from it", remedyUnreached}

// follow asks a resolver for the region's own SOA record, and for a name below it that can't be
// there: only the region's own server answers both as it does. The second is in no cache; of the
// first, some resolvers serve a stale one for as long as the region does not answer.
func (l *live) follow(ctx context.Context, resolver string, to lease.Region) delegation {
	apex := l.below(string(to))
	var soa, nothing *dns.Msg
	var soaErr, nothingErr error
	var sent, answered time.Time
	var both sync.WaitGroup
	both.Go(func() { soa, soaErr = client.Exchange(ctx, resolver, apex, dns.TypeSOA, patience) })
	both.Go(func() {
		sent = time.Now()
		nothing, nothingErr = client.Exchange(ctx, resolver, l.below(strings.ToLower(rand.Text()), string(to)), dns.TypeTXT, patience)
		answered = time.Now()
	})
	both.Wait()
	if f := faultOfSOA(soa, soaErr, apex); f != (fault{}) {
		return delegation{fault: f}
	}
	switch {
	case nothingErr != nil:
		return delegation{fault: fault{noAnswer(nothingErr), remedyUnreached}}
	case nothing.Rcode == dns.RcodeServerFailure: // and an SOA record that is stale
		return delegation{fault: unanswered}
	case nothing.Rcode != dns.RcodeNameError:
		return delegation{fault: fault{rcode(nothing.Rcode) + " for a name that is not there, where NXDOMAIN is right: another server answers, or the resolver makes names up", remedyLame}}
	}
	for _, rr := range nothing.Ns {
		if record, ok := rr.(*dns.SOA); ok && isOwn(record, apex) {
			return delegation{clock: ahead(record.Serial, sent, answered), timed: true}
		}
	}
	return delegation{}
}

// faultOfSOA says what keeps a reply from being the region's own SOA record.
func faultOfSOA(m *dns.Msg, err error, apex string) fault {
	switch {
	case err != nil:
		return fault{noAnswer(err), remedyUnreached}
	case m.Rcode == dns.RcodeServerFailure:
		return unanswered
	case m.Rcode == dns.RcodeNameError:
		return fault{"NXDOMAIN: there is no delegation", remedyLame + "; a resolver may remember for some minutes that there was none"}
	case m.Rcode == dns.RcodeRefused:
		return fault{"REFUSED: the resolver does not answer this host, or not for this name", "choose another resolver"}
	case m.Rcode != dns.RcodeSuccess:
		return fault{rcode(m.Rcode), remedyUnreached}
	}
	for _, rr := range m.Answer {
		if record, ok := rr.(*dns.SOA); ok {
			if isOwn(record, apex) {
				return fault{}
			}
			return fault{"another server answers: its SOA record names " + record.Ns, remedyLame}
		}
	}
	for _, rr := range m.Ns {
		if record, ok := rr.(*dns.SOA); ok {
			return fault{"no SOA record of its own: the server of " + record.Hdr.Name + " answers, which has no delegation", remedyLame}
		}
	}
	return fault{"no SOA record: another server answers", remedyLame}
}

// isOwn reports whether an SOA record is one that a region makes.
func isOwn(record *dns.SOA, apex string) bool {
	return strings.EqualFold(record.Hdr.Name, apex) && strings.EqualFold(record.Ns, apex) && strings.EqualFold(record.Mbox, "hostmaster."+apex)
}
