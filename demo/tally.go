package demo

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/openova-io/failoverd/quorum"
)

// A tally counts what each resolver brought, to all who asked.
type tally struct {
	mu     sync.Mutex
	counts map[string]outcomes // by the address of the resolver
}

type outcomes map[quorum.Outcome]int

func newTally() *tally { return &tally{counts: map[string]outcomes{}} }

func (t *tally) add(v quorum.Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, b := range v.Ballots {
		if t.counts[b.Resolver] == nil {
			t.counts[b.Resolver] = outcomes{}
		}
		t.counts[b.Resolver][b.Outcome]++
	}
}

// of returns what a resolver brought so far.
func (t *tally) of(resolver string) outcomes {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.counts[resolver])
}

// lies are the answers that were dropped since earlier, as no honest resolver brings them.
func (o outcomes) lies(earlier outcomes) outcomes {
	lies := outcomes{}
	for _, kind := range []quorum.Outcome{quorum.BadSignature, quorum.Replayed, quorum.Differs} {
		if n := o[kind] - earlier[kind]; n > 0 {
			lies[kind] = n
		}
	}
	return lies
}

func (o outcomes) String() string {
	var parts []string
	for _, kind := range slices.Sorted(maps.Keys(o)) {
		parts = append(parts, fmt.Sprintf("%d %s", o[kind], kind))
	}
	return strings.Join(parts, ", ")
}
