package kvtest

import (
	"bytes"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"time"
)

// What a Server knows where Options do not say otherwise.
const (
	AccountID   = "0123456789abcdef0123456789abcdef"
	NamespaceID = "fedcba9876543210fedcba9876543210"
	Token       = "kvtest-token"
)

// Options are the parameters of a Server; the zero value is a good one.
type Options struct {
	AccountID   string           // default AccountID
	NamespaceID string           // default NamespaceID
	Tokens      []string         // of the clients that are let in; default Token
	Seed        uint64           // of all chance
	Faults      Faults           // of every client that SetFaults says nothing of
	Now         func() time.Time // the time of caches and of late writes; default time.Now
}

// A Server is one namespace of Workers KV, served over HTTP on loopback.
type Server struct {
	// URL is the base URL of the API, as witness.cloudflare_kv.base_url.
	URL string

	opts   Options
	http   *httptest.Server
	closed chan struct{} // lets hung requests go

	mu     sync.Mutex
	rng    *rand.Rand
	values map[string][]byte
	late   []lateWrite // not yet applied
	faults map[string]Faults
	caches map[cacheKey]fetched
	counts map[string]Counts
}

type lateWrite struct {
	due   time.Time
	key   string
	value []byte
}

type cacheKey struct {
	token string
	cache int
	key   string
}

// fetched is what a cache holds: a value, or a miss.
type fetched struct {
	value []byte
	found bool
	at    time.Time
}

// Counts is how many requests of a client have arrived, whatever became of
// them.
type Counts struct{ Puts, Gets int }

// New starts a server. Close stops it.
func New(opts Options) *Server {
	if opts.AccountID == "" {
		opts.AccountID = AccountID
	}
	if opts.NamespaceID == "" {
		opts.NamespaceID = NamespaceID
	}
	if len(opts.Tokens) == 0 {
		opts.Tokens = []string{Token}
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	s := &Server{
		opts:   opts,
		closed: make(chan struct{}),
		rng:    rand.New(rand.NewPCG(opts.Seed, 0)),
		values: map[string][]byte{},
		faults: map[string]Faults{},
		caches: map[cacheKey]fetched{},
		counts: map[string]Counts{},
	}
	s.http = httptest.NewServer(http.HandlerFunc(s.serve))
	s.URL = s.http.URL + "/client/v4"
	return s
}

// Close ends all requests, hung ones too, and stops the server. Late writes
// that are not due are lost.
func (s *Server) Close() {
	close(s.closed)
	s.http.Close()
}

// SetFaults says what the client with this token meets from now on. What its
// caches hold stays in them.
func (s *Server) SetFaults(token string, f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[token] = f
}

// Value is what the store truly holds now, whatever clients are served.
func (s *Server) Value(key string) (value []byte, found bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.land()
	value, found = s.values[key]
	return bytes.Clone(value), found
}

// SetValue writes a value as a stranger would, without faults.
func (s *Server) SetValue(key string, value []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.land()
	s.values[key] = bytes.Clone(value)
}

// Counts is how many requests the client with this token has made.
func (s *Server) Counts(token string) Counts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.counts[token]
}

// land applies the late writes that are due, in the order in which they fall
// due. As it runs before anything looks at a value, it need not run at the
// instant itself.
func (s *Server) land() {
	now := s.opts.Now()
	slices.SortStableFunc(s.late, func(a, b lateWrite) int { return a.due.Compare(b.due) })
	for len(s.late) > 0 && !s.late[0].due.After(now) {
		s.values[s.late[0].key] = s.late[0].value
		s.late = s.late[1:]
	}
}

// lookUp is what a client's read returns: what one of its caches holds, or
// else the truth, which that cache then holds.
func (s *Server) lookUp(token, key string, f Faults) ([]byte, bool) {
	s.land()
	now := s.opts.Now()
	where := cacheKey{token, 0, key}
	if f.Caches > 1 {
		where.cache = s.rng.IntN(f.Caches)
	}
	// "Before", not "until": a value that was overwritten at the instant at
	// which it was fetched must be gone Staleness later.
	if e, ok := s.caches[where]; ok && now.Sub(e.at) < f.Staleness {
		return e.value, e.found
	}
	value, found := s.values[key]
	s.caches[where] = fetched{value, found, now}
	return value, found
}

func (s *Server) chance(p float64) bool { return p > 0 && s.rng.Float64() < p }
