//go:build gateway

package gateway

import (
	"bufio"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Traefik's own, after which it takes up a change that comes just after another.
const traefikThrottle = 2 * time.Second

func replaced(text, namespace string) string { return strings.ReplaceAll(text, "NAMESPACE", namespace) }

// An answer is what a client got.
type answer struct {
	asked, got time.Time
	status     int
	err        error
}

// A client asks one gateway again and again.
type client struct {
	mu      sync.Mutex
	answers []answer
}

// ask has a client ask for a path every 2 ms until the test ends.
func (r *region) ask(t *testing.T, path string) *client {
	t.Helper()
	c := &client{}
	ctx, stop := context.WithCancel(context.Background())
	var asking sync.WaitGroup
	asking.Go(func() {
		for ctx.Err() == nil {
			a := answer{asked: time.Now()}
			a.status, a.err = r.get(ctx, "app.example.com", path)
			a.got = time.Now()
			if ctx.Err() == nil {
				c.mu.Lock()
				c.answers = append(c.answers, a)
				c.mu.Unlock()
			}
			select {
			case <-ctx.Done():
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	t.Cleanup(func() { stop(); asking.Wait() })
	return c
}

// since are the answers to what was asked at a time or later.
func (c *client) since(at time.Time) []answer {
	c.mu.Lock()
	defer c.mu.Unlock()
	i, _ := slices.BinarySearchFunc(c.answers, at, func(a answer, at time.Time) int { return a.asked.Compare(at) })
	return slices.Clone(c.answers[i:])
}

// until waits for an answer with a status to what is asked from at on, and returns how long after that it came. All
// answers before had another status, was; anything else fails the test.
func (c *client) until(t *testing.T, at time.Time, was, want int) time.Duration {
	t.Helper()
	for begun := time.Now(); time.Since(begun) < patience; <-time.After(5 * time.Millisecond) {
		for _, a := range c.since(at) {
			switch a.status {
			case want:
				return a.got.Sub(at)
			case was:
			default:
				t.Fatalf("a client got %d (%v), want %d and then %d", a.status, a.err, was, want)
			}
		}
	}
	t.Fatalf("in %v no client got %d", patience, want)
	return 0
}

// only fails the test if a client that asked from at on got another status.
func (c *client) only(t *testing.T, at time.Time, want int) {
	t.Helper()
	for _, a := range c.since(at) {
		if a.status != want {
			t.Errorf("a client that asked %v later got %d (%v), want %d", a.asked.Sub(at), a.status, a.err, want)
			return
		}
	}
}

// count is how many answers had a status.
func (c *client) count(status int, at time.Time) (n int) {
	for _, a := range c.since(at) {
		if a.status == status {
			n++
		}
	}
	return n
}

func percentiles(all []time.Duration) (median, most time.Duration) {
	slices.Sort(all)
	return all[len(all)/2], all[len(all)-1]
}

// TestGateway fences a route and activates it, and sees what a client gets.
func TestGateway(t *testing.T) {
	const rounds = 10
	fsn := newRegion(t, 0, 100*time.Millisecond, 0)
	app, redirect := fsn.ask(t, "/"), fsn.ask(t, "/old")
	begun := time.Now()
	var fenced, active []time.Duration
	for round := range uint64(rounds) {
		at := time.Now()
		if err := fsn.Fence(t.Context(), fsn.order(2*round+1)); err != nil {
			t.Fatal(err)
		}
		fenced = append(fenced, app.until(t, at, http.StatusOK, http.StatusServiceUnavailable))
		at = time.Now()
		if err := fsn.Activate(t.Context(), fsn.order(2*round+2)); err != nil {
			t.Fatal(err)
		}
		active = append(active, app.until(t, at, http.StatusServiceUnavailable, http.StatusOK))
	}
	redirect.only(t, begun, http.StatusFound)
	median, most := percentiles(fenced)
	t.Logf("%d rounds: 503 %v after the order in the median, %v at most", rounds, median, most)
	median, most = percentiles(active)
	t.Logf("200 again after %v in the median, %v at most; %d answers, and %d to the redirect, all 302", median, most, len(app.since(begun)), len(redirect.since(begun)))
}

// TestEstablished has a client read a stream while its route is fenced: no gateway cuts that.
func TestEstablished(t *testing.T) {
	fsn := newRegion(t, 0, 100*time.Millisecond, 0)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, fsn.url+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "app.example.com"
	stream, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	if err := fsn.Fence(t.Context(), fsn.order(1)); err != nil {
		t.Fatal(err)
	}
	fsn.await(t, http.StatusServiceUnavailable)
	lines := bufio.NewScanner(stream.Body)
	read := 0
	for read < 200 && lines.Scan() { // more than was under way before
		read++
	}
	if read < 200 {
		t.Errorf("the stream ended after %d lines (%v): a gateway that cuts streams makes docs/routes.md wrong", read, lines.Err())
	}
}

// TestThrottled has a gateway with Traefik's own throttle, that has just taken up a change: the fence is done when that has
// taken up this one.
func TestThrottled(t *testing.T) {
	for _, tt := range []struct {
		name  string
		delay time.Duration
		done  bool
	}{
		{"with gateway_delay", traefikThrottle + time.Second, true},
		{"without", 0, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fsn := newRegion(t, 0, traefikThrottle, tt.delay)
			app := fsn.ask(t, "/")
			<-time.After(traefikThrottle) // that of the start is over
			var late []time.Duration
			for round := range uint64(3) {
				fsn.touch(t)
				if err := fsn.Fence(t.Context(), fsn.order(2*round+1)); err != nil {
					t.Fatal(err)
				}
				done := time.Now()
				late = append(late, app.until(t, done, http.StatusOK, http.StatusServiceUnavailable))
				if n := app.count(http.StatusOK, done); tt.done && n > 0 {
					t.Errorf("after the fence was done %d clients were served, the last one %v later", n, late[round])
				}
				if err := fsn.Activate(t.Context(), fsn.order(2*round+2)); err != nil {
					t.Fatal(err)
				}
				fsn.await(t, http.StatusOK)
			}
			median, most := percentiles(late)
			t.Logf("the first 503 came %v after the fence was done, in the median, and %v at most", median, most)
		})
	}
}

// TestSwitchover goes to and fro between two regions, as a planned switchover does: one is activated when the other has
// said that it is fenced.
func TestSwitchover(t *testing.T) {
	const rounds = 10
	from, to := newRegion(t, 0, 100*time.Millisecond, traefikThrottle), newRegion(t, 1, 100*time.Millisecond, traefikThrottle)
	if err := to.Fence(t.Context(), to.order(1)); err != nil {
		t.Fatal(err)
	}
	to.await(t, http.StatusServiceUnavailable)
	clients := map[*region]*client{from: from.ask(t, "/"), to: to.ask(t, "/")}
	begun := time.Now()
	var gaps []time.Duration
	for round := range uint64(rounds) {
		at := time.Now()
		if err := from.Fence(t.Context(), from.order(round+2)); err != nil {
			t.Fatal(err)
		}
		ended := clients[from].until(t, at, http.StatusOK, http.StatusServiceUnavailable)
		if err := to.Activate(t.Context(), to.order(round+2)); err != nil {
			t.Fatal(err)
		}
		gaps = append(gaps, clients[to].until(t, at, http.StatusServiceUnavailable, http.StatusOK)-ended)
		from, to = to, from
	}
	a, b := clients[from].since(begun), clients[to].since(begun)
	if n := overlaps(a, b); n > 0 {
		t.Errorf("%d times a client was served by one region after it had been by the other, and before the other said 503", n)
	}
	median, most := percentiles(gaps)
	t.Logf("%d switchovers, %d answers: nobody served for %v in the median, %v at most; served by both: 0", rounds, len(a)+len(b), median, most)
}

// overlaps counts the answers of one that say 200 and were asked for and got between two of the other that say so too.
func overlaps(a, b []answer) (n int) {
	served := func(x answer) bool { return x.status == http.StatusOK }
	for _, x := range a {
		i, _ := slices.BinarySearchFunc(b, x.asked, func(y answer, at time.Time) int { return y.asked.Compare(at) })
		if served(x) && i > 0 && i < len(b) && served(b[i-1]) && served(b[i]) {
			n++
		}
	}
	return n
}
