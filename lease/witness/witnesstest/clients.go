package witnesstest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
)

const (
	clientCount  = 4
	pace         = 5 * time.Millisecond // between the beginnings of a client's operations
	opTimeout    = time.Second          // of one operation
	enough       = 40                   // answered operations of each kind and client, before the faults and after them
	awaitTimeout = 2 * time.Minute
)

// sharedKey is written by all clients; own keys by one, as registers are.
const sharedKey = "history/flag/shared"

func ownKey(client int) string { return fmt.Sprintf("history/flag/%d", client) }

// never is the end of an operation whose outcome is not known.
const never = math.MaxInt64

// An operation is one call as its client saw it, at times since the start.
type operation struct {
	client       int
	key          string
	put          bool
	value        string // put, or returned; "" for a missing record
	sent, answer time.Duration
}

func (o operation) String() string {
	what, until := "Get", "?"
	if o.put {
		what = "Put"
	}
	if o.answer != never {
		until = o.answer.Round(time.Microsecond).String()
	}
	return fmt.Sprintf("%v to %s: client %d: %s(%q) %q", o.sent.Round(time.Microsecond), until, o.client, what, o.key, o.value)
}

// Clients are those of one run. They go on until the faults of that run have returned.
type Clients struct {
	t     *testing.T
	start time.Time

	mu      sync.Mutex
	changed *sync.Cond
	history []operation
	ended   [clientCount]tally
	failed  map[witness.Class]int
}

// A tally counts operations of one client.
type tally struct{ ops, puts, gets int }

// Await returns when every client has ended n more operations, with whatever outcome.
func (c *Clients) Await(n int) { c.await(tally{ops: n}) }

// AwaitAnswers returns when every client has had n more writes acknowledged and n more reads answered.
func (c *Clients) AwaitAnswers(n int) { c.await(tally{puts: n, gets: n}) }

func (c *Clients) await(more tally) {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	late := false
	defer time.AfterFunc(awaitTimeout, func() {
		c.mu.Lock()
		late = true
		c.mu.Unlock()
		c.changed.Broadcast()
	}).Stop()
	from := c.ended
	for i := range clientCount {
		for c.ended[i].ops < from[i].ops+more.ops || c.ended[i].puts < from[i].puts+more.puts || c.ended[i].gets < from[i].gets+more.gets {
			if late {
				c.t.Fatalf("clients ended %+v in %v, want each %+v more than %+v; failed operations by class: %v", c.ended, awaitTimeout, more, from, c.failed)
			}
			c.changed.Wait()
		}
	}
}

// runClients has clients put and get at once, each over a store of its own,
// until faults has returned and each has had some more answers. It returns what they saw.
func runClients(t *testing.T, open func(t *testing.T) witness.Store, faults func(t *testing.T, c *Clients)) []operation {
	t.Helper()
	c := &Clients{t: t, start: time.Now(), failed: map[witness.Class]int{}}
	c.changed = sync.NewCond(&c.mu)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel() // before it waits, also where t.Fatal ends the run
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for i := range clientCount {
		store, rng := open(t), rand.New(rand.NewPCG(seed, uint64(i)))
		wg.Go(func() { c.work(ctx, i, store, rng) })
	}
	c.AwaitAnswers(enough)
	if faults != nil {
		faults(t, c)
	}
	c.AwaitAnswers(enough)
	cancel()
	wg.Wait()
	var sum tally
	for _, e := range c.ended {
		sum = tally{sum.ops + e.ops, sum.puts + e.puts, sum.gets + e.gets}
	}
	t.Logf("%d operations in %v: %d writes acknowledged, %d reads answered, failed by class: %v",
		sum.ops, time.Since(c.start).Round(time.Millisecond), sum.puts, sum.gets, c.failed)
	return c.history
}

// work is one client. As an agent does, it goes on to its next write when an
// attempt has failed, though that may land yet.
func (c *Clients) work(ctx context.Context, client int, store witness.Store, rng *rand.Rand) {
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 0; ctx.Err() == nil; n++ {
		o := operation{client: client, put: rng.IntN(2) == 0}
		switch pick := rng.IntN(clientCount + 1); {
		case pick == clientCount:
			o.key = sharedKey
		case o.put:
			o.key = ownKey(client)
		default:
			o.key = ownKey(pick)
		}
		if o.put {
			// Of one width, so that no value is a part of another: "77" torn off
			// "177" would be taken for a value that was there once.
			o.value = fmt.Sprintf("%06d of client %d", n, client)
		}
		c.do(store, o)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// do makes one call. It is not cut short at the end of the run: its outcome would be unknown.
func (c *Clients) do(store witness.Store, o operation) {
	ctx, cancel := context.WithTimeout(context.Background(), opTimeout)
	defer cancel()
	var err error
	o.sent = time.Since(c.start)
	if o.put {
		err = store.Put(ctx, o.key, []byte(o.value))
	} else {
		var value []byte
		value, err = store.Get(ctx, o.key)
		o.value = string(value)
	}
	o.answer = time.Since(c.start)

	c.mu.Lock()
	defer c.mu.Unlock()
	defer c.changed.Broadcast()
	e := &c.ended[o.client]
	e.ops++
	switch {
	case err != nil && (o.put || !errors.Is(err, witness.ErrNotFound)):
		c.failed[witness.ClassOf(err)]++
		if !o.put {
			return // nothing is known from it
		}
		o.answer = never
	case o.put:
		e.puts++
	default:
		e.gets++
	}
	c.history = append(c.history, o)
}
