package responder

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// A Kind is what a query was, as a label of metrics.
type Kind string

const (
	Answered     Kind = "answered"      // a question that was asked of the region
	Repeated     Kind = "repeated"      // the same question once more, through another resolver
	Unanswered   Kind = "unanswered"    // a question that the region did not answer in time
	BadSignature Kind = "bad_signature" // forged, or by no member
	Malformed    Kind = "malformed"     // of the shape of a question, and senseless
	Stale        Kind = "stale"         // sent too long ago, or in the future: a replay, or a wrong clock
	Flood        Kind = "flood"         // one of too many of one member
	Plain        Kind = "plain"         // an ordinary query for a name of the zone
	Refused      Kind = "refused"       // not for this zone, or not a query that it answers, or garbage
	Limited      Kind = "limited"       // over the rate: dropped, or told to ask over TCP
)

// Kinds are all of them.
var Kinds = []Kind{Answered, Repeated, Unanswered, BadSignature, Malformed, Stale, Flood, Plain, Refused, Limited}

func refusal(err error) Kind {
	switch {
	case errors.Is(err, quorum.ErrSignature), errors.Is(err, quorum.ErrUnknownAsker):
		return BadSignature
	case errors.Is(err, quorum.ErrStale), errors.Is(err, quorum.ErrFuture):
		return Stale
	case errors.Is(err, quorum.ErrFlood):
		return Flood
	}
	return Malformed
}

// A zone is what is served: <region>.<parent>, its SOA and NS records, and below it the names of
// questions, which come into being when they are asked.
type zone struct {
	parent string
	apex   string // with the final dot, as all names here
	group  string
	askers []lease.Region // who may ask: all members; the region itself does so for a person
	ns     *dns.NS
	now    func() time.Time
}

func newZone(cfg Config) (zone, error) {
	parent := strings.ToLower(strings.TrimSuffix(cfg.Zone, "."))
	apex := dns.Fqdn(string(cfg.Region) + "." + parent)
	if _, ok := dns.IsDomainName(apex); !ok || parent == "" {
		return zone{}, fmt.Errorf("quorum.zone: %q is no DNS name", cfg.Zone)
	}
	z := zone{parent: parent, apex: apex, group: cfg.Group, now: cfg.Now}
	z.askers = slices.Collect(maps.Keys(cfg.Keys))
	if err := quorum.CheckNames(cfg.Group, z.askers, parent); err != nil {
		return zone{}, fmt.Errorf("quorum.zone: %w", err)
	}
	z.ns = &dns.NS{Hdr: z.header(dns.TypeNS), Ns: apex}
	return z, nil
}

// header has TTL 0, as everything here, negative answers (Minttl of the SOA) too: nothing of this
// is to be cached.
func (z *zone) header(rrtype uint16) dns.RR_Header {
	return dns.RR_Header{Name: z.apex, Rrtype: rrtype, Class: dns.ClassINET}
}

// soa is the zone's SOA record. Its serial is the wall clock, in seconds of Unix: whoever asks can
// see by how much the clocks differ, which is one of the causes of refused questions, and looks
// like the others.
func (z *zone) soa() *dns.SOA {
	return &dns.SOA{Hdr: z.header(dns.TypeSOA), Ns: z.apex, Mbox: "hostmaster." + z.apex, Serial: uint32(z.now().Unix()), Refresh: 3600, Retry: 600, Expire: 86400}
}

// reply is what to say to a query, without regard to its size; ask is asked for the text of names
// that may be questions.
func (z *zone) reply(query *dns.Msg, ask func(name string) ([]string, Kind)) (*dns.Msg, Kind) {
	m := new(dns.Msg)
	m.SetReply(query)
	m.Compress = true
	refuse := func(rcode int) (*dns.Msg, Kind) {
		m.Rcode = rcode
		return m, Refused
	}
	if opt := query.IsEdns0(); opt != nil {
		m.SetEdns0(maxDatagram, opt.Do()) // RFC 3225 §3
		if opt.Version() != 0 {
			return refuse(dns.RcodeBadVers)
		}
		if manyOPT(query) {
			return refuse(dns.RcodeFormatError) // RFC 6891 §6.1.1
		}
	}
	if len(query.Question) != 1 { // one that ends with its header has none, whatever that says
		return refuse(dns.RcodeFormatError)
	}
	q := query.Question[0]
	name := strings.ToLower(q.Name)
	switch {
	case q.Qclass != dns.ClassINET, !dns.IsSubDomain(z.apex, name), q.Qtype == dns.TypeAXFR, q.Qtype == dns.TypeIXFR:
		return refuse(dns.RcodeRefused)
	}
	m.Authoritative = true
	// Answers carry the name as it was asked: resolvers check the case of its letters (0x20).
	switch kind, exists := z.name(name); {
	case !exists:
		m.Rcode = dns.RcodeNameError
		m.Ns = []dns.RR{z.soa()}
		return m, kind
	case kind == Answered && q.Qtype == dns.TypeTXT:
		text, kind := ask(name)
		if kind == Limited {
			m.Truncated = true
			return m, kind
		}
		if text == nil {
			// A forged question learns nothing: it gets what any name that is not there gets.
			m.Rcode = dns.RcodeNameError
			if kind == Unanswered {
				m.Rcode = dns.RcodeServerFailure
			}
			m.Ns = []dns.RR{z.soa()}
			return m, kind
		}
		m.Answer = []dns.RR{&dns.TXT{Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeTXT, Class: dns.ClassINET}, Txt: text}}
		return m, kind
	case name == z.apex && (q.Qtype == dns.TypeSOA || q.Qtype == dns.TypeANY):
		m.Answer = []dns.RR{z.soa()}
	case name == z.apex && q.Qtype == dns.TypeNS:
		m.Answer = []dns.RR{z.ns}
	default:
		m.Ns = []dns.RR{z.soa()} // NODATA
	}
	return m, Plain
}

func manyOPT(query *dns.Msg) bool {
	n := 0
	for _, rr := range query.Extra {
		if rr.Header().Rrtype == dns.TypeOPT {
			n++
		}
	}
	return n > 1
}

// name says what a name of the zone is: Answered for one that may be a question. What lies between
// the apex and a question exists, without any record: a resolver that asks for a name label by
// label (RFC 9156) would give up at one that does not (RFC 8020).
func (z *zone) name(name string) (kind Kind, exists bool) {
	below := dns.SplitDomainName(strings.TrimSuffix(strings.TrimSuffix(name, z.apex), "."))
	slices.Reverse(below)
	for i, label := range below {
		ok := true
		switch i {
		case 0:
			ok = label == z.group
		case 1:
			ok = label == string(lease.VerbStatus) || label == string(lease.VerbPledge)
		case 2:
			ok = slices.Contains(z.askers, lease.Region(label))
		case 3, 4, 5: // payload and signature
		default:
			ok = false
		}
		if !ok {
			return Plain, false
		}
	}
	if len(below) == 6 {
		return Answered, true
	}
	return Plain, true
}
