package witnesstest

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
)

// A fake is a set of registers with a flaw. Every flaw shows only once in a while, but often enough that a run sees it: what lands
// twice is seen only where another write came between, and a read before the next.
type fake struct {
	flaw string

	mu     sync.Mutex
	values map[string][]string // all that was there, the last is there now
	late   []func()            // one is carried out with each operation
	rng    *rand.Rand
}

func newFake(flaw string) *fake {
	return &fake{flaw: flaw, values: map[string][]string{}, late: make([]func(), 10), rng: rand.New(rand.NewPCG(1, 2))}
}

// next lets an operation of the past land.
func (f *fake) next(then func()) {
	if f.late[0] != nil {
		f.late[0]()
	}
	f.late = append(f.late[1:], then)
}

func (f *fake) Put(_ context.Context, key string, value []byte) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	land := func() { f.values[key] = append(f.values[key], string(value)) }
	unknown := &witness.Error{Class: witness.Unreachable, Op: "put", Key: key, Err: errors.New("connection was cut")}
	rare := f.rng.IntN(20) == 0
	switch {
	case f.flaw == "twice" && f.rng.IntN(4) == 0: // a client that sends an attempt again
		f.next(land)
		land()
		return nil
	case f.flaw == "loses" && rare:
		f.next(nil)
		return nil
	case f.rng.IntN(10) == 0: // allowed: late, perhaps on top of newer ones
		f.next(land)
		return unknown
	case f.rng.IntN(10) == 0: // allowed: never
		f.next(nil)
		return unknown
	}
	f.next(nil)
	land()
	return nil
}

func (f *fake) Get(_ context.Context, key string) ([]byte, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next(nil)
	values := f.values[key]
	if f.flaw == "stale" && len(values) > 0 && f.rng.IntN(20) == 0 {
		values = values[:len(values)-1]
	}
	switch {
	case len(values) == 0:
		return nil, witness.ErrNotFound
	case f.flaw == "torn" && f.rng.IntN(20) == 0:
		return []byte(values[len(values)-1][1:]), nil
	}
	return []byte(values[len(values)-1]), nil
}

func TestLinearizable(t *testing.T) {
	for _, test := range []struct{ flaw, want string }{
		{"", ""},
		{"stale", "no linearizable register"},
		{"twice", "no linearizable register"},
		{"loses", "no linearizable register"},
		{"torn", "a value that nobody put"},
	} {
		t.Run("flaw "+test.flaw, func(t *testing.T) {
			f := newFake(test.flaw)
			got := notLinearizable(t, runClients(t, func(*testing.T) witness.Store { return f }, nil))
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
			t.Log(got)
		})
	}
}

// The faults of a run are paced by its clients, and those have to recover.
func TestFaultsAreSeen(t *testing.T) {
	f := newFake("")
	paced := false
	RunLinearizable(t, func(*testing.T) witness.Store { return f }, func(_ *testing.T, c *Clients) {
		c.Await(10)
		c.AwaitAnswers(10)
		paced = true
	})
	if !paced {
		t.Error("the faults were not run")
	}
}

func TestStaleness(t *testing.T) {
	const s = time.Second
	put := func(value string, sent, answer time.Duration) operation {
		return operation{key: "k", put: true, value: value, sent: sent, answer: answer}
	}
	get := func(value string, sent time.Duration) operation {
		return operation{client: 1, key: "k", value: value, sent: sent, answer: sent + s/2}
	}
	for _, test := range []struct {
		name    string
		history []operation
		want    time.Duration
	}{
		{"fresh", []operation{put("1", 0, s), put("2", 2*s, 3*s), get("2", 9*s)}, 0},
		{"older", []operation{put("1", 0, s), put("2", 2*s, 3*s), get("1", 9*s)}, 6 * s},
		{"since the first newer one", []operation{put("1", 0, s), put("2", 2*s, 3*s), put("3", 4*s, 5*s), get("1", 9*s)}, 6 * s},
		{"sent before the newer one was acknowledged", []operation{put("1", 0, s), put("2", 2*s, 9*s), get("1", 8*s)}, 0},
		{"a miss", []operation{put("1", 0, s), get("", 4*s)}, 3 * s},
		{"the newer one's outcome is unknown", []operation{put("1", 0, s), put("2", 2*s, never), get("1", 9*s)}, 0},
		{"one of unknown outcome landed late", []operation{put("1", 0, never), put("2", 2*s, 3*s), get("1", 9*s)}, 0},
		{"the greatest", []operation{put("1", 0, s), put("2", 2*s, 3*s), get("1", 4*s), get("1", 6*s), get("2", 7*s)}, 3 * s},
	} {
		if got, _ := staleness(test.history); got != test.want {
			t.Errorf("%s: got %v, want %v", test.name, got, test.want)
		}
	}
}
