package agent

import (
	"slices"
	"sync"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// A ResolverStatus is what a resolver brought of the last question to a peer.
type ResolverStatus struct {
	Resolver string         `json:"resolver"` // host:port
	Outcome  quorum.Outcome `json:"outcome"`
}

// resolvers keeps that for each peer. Any goroutine may call it.
type resolvers struct {
	mu   sync.Mutex
	last map[lease.Region][]ResolverStatus
}

// counted takes in what all resolvers brought of a question.
func (r *resolvers) counted(peer lease.Region, v quorum.Verdict) {
	var all []ResolverStatus
	for _, b := range v.Ballots {
		all = append(all, ResolverStatus{b.Resolver, b.Outcome})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last == nil {
		r.last = map[lease.Region][]ResolverStatus{}
	}
	r.last[peer] = all
}

func (r *resolvers) of(peer lease.Region) []ResolverStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.last[peer])
}
