package resolver

import (
	"strings"
	"sync"
	"time"

	"github.com/miekg/dns"
)

// A cache keeps what servers said for as long as they said that it holds.
type cache struct {
	now func() time.Time

	mu   sync.Mutex
	said map[key]entry
}

// A key is what was asked: names are the same in any case of letters (RFC 4343).
type key struct {
	name  string
	qtype uint16
}

func keyOf(q dns.Question) key { return key{strings.ToLower(q.Name), q.Qtype} }

type entry struct {
	reply *dns.Msg
	came  time.Time
	until time.Time
}

// get returns what was said to a question, with what is left of its TTLs; nil if nothing is known.
func (c *cache) get(q dns.Question) *dns.Msg {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.said[keyOf(q)]
	now := c.now()
	if !ok || !now.Before(e.until) {
		delete(c.said, keyOf(q))
		return nil
	}
	reply := e.reply.Copy()
	age := uint32(now.Sub(e.came) / time.Second)
	for _, rr := range append(reply.Answer, reply.Ns...) {
		rr.Header().Ttl -= min(age, rr.Header().Ttl)
	}
	return reply
}

// put keeps a reply, unless it holds for no time.
func (c *cache) put(q dns.Question, reply *dns.Msg) {
	ttl := lifetime(reply)
	if ttl == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	c.said[keyOf(q)] = entry{reply.Copy(), now, now.Add(ttl)}
}

// lifetime is how long a reply holds: for the shortest TTL of its answer, and where there is none for
// the time that the zone's SOA record gives (RFC 2308 §5). Failures hold for no time.
func lifetime(reply *dns.Msg) time.Duration {
	if reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError {
		return 0
	}
	const most = 1<<32 - 1
	ttl := uint32(most)
	for _, rr := range reply.Answer {
		ttl = min(ttl, rr.Header().Ttl)
	}
	if len(reply.Answer) == 0 {
		for _, rr := range reply.Ns {
			if soa, ok := rr.(*dns.SOA); ok {
				ttl = min(ttl, soa.Hdr.Ttl, soa.Minttl)
			}
		}
	}
	if ttl == most {
		return 0
	}
	return time.Duration(ttl) * time.Second
}
