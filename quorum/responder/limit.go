package responder

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// maxSources is how many sources are known at once: some 100 bytes each.
const maxSources = 4096

// A limiter limits the rate of queries by source. Its zero value is not of use.
type limiter struct {
	rate int

	mu      *sync.Mutex
	sources map[netip.Prefix]*rate.Limiter
}

func newLimiter(perSecond int) limiter {
	return limiter{rate: perSecond, mu: new(sync.Mutex), sources: map[netip.Prefix]*rate.Limiter{}}
}

// network is whose rate and connections an address shares: what one user of the internet has.
func network(addr netip.Addr) netip.Prefix {
	bits := 32
	if addr = addr.Unmap(); addr.Is6() {
		bits = 56
	}
	prefix, err := addr.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return prefix
}

// allow reports whether a query of a source is within its rate. When there are too many sources,
// those that have been silent for a second are forgotten, and if there are none, all are: an
// attacker who forges sources gains that much.
func (l *limiter) allow(addr netip.Addr, now time.Time) bool {
	prefix := network(addr)
	l.mu.Lock()
	defer l.mu.Unlock()
	s, ok := l.sources[prefix]
	if !ok {
		l.makeRoom(now)
		s = rate.NewLimiter(rate.Limit(l.rate), l.rate)
		l.sources[prefix] = s
	}
	return s.AllowN(now, 1)
}

func (l *limiter) makeRoom(now time.Time) {
	if len(l.sources) < maxSources {
		return
	}
	for prefix, s := range l.sources {
		if s.TokensAt(now) >= float64(l.rate) {
			delete(l.sources, prefix)
		}
	}
	if len(l.sources) >= maxSources {
		clear(l.sources)
	}
}
