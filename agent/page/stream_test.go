package page

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent"
)

// quick has frames follow one another at once.
var quick = timings{pace: time.Millisecond, beat: time.Minute, patience: limit}

// epoch is the text of a frame by which a test tells it.
func epoch(n uint64) string { return fmt.Sprintf("epoch %d,", n) }

// until reads until an epoch is there, and returns how many events that took.
func (s *stream) until(n uint64) (events int) {
	s.w.t.Helper()
	for {
		data, ok := s.event()
		if !ok {
			s.w.t.Fatalf("the stream has ended after %d events, before %s", events, epoch(n))
		}
		events++
		if strings.Contains(data, epoch(n)) {
			return events
		}
	}
}

// TestOnceForAll has the facts be rendered for nobody while there is no stream, and once for many.
func TestOnceForAll(t *testing.T) {
	w := newWorld(t, calmStatus(), quick)
	for range 100 {
		w.agent.change(func(s *agent.Status) { s.Epoch++ })
	}
	w.await("Run has looked at the last change", func() bool { return len(w.agent.changed) == 0 })
	if got := w.agent.asked.Load(); got != 0 {
		t.Errorf("without a stream the status was asked for %d times, want 0", got)
	}
	var all []*stream
	for range 50 {
		all = append(all, w.open())
	}
	w.await("all are open", func() bool { return len(w.page.open) == len(all) && len(w.page.opened) == 0 })
	for _, s := range all {
		s.until(107)
	}
	const changes = 20
	before, events := w.agent.asked.Load(), 0
	for n := range changes {
		w.agent.change(func(s *agent.Status) { s.Epoch++ })
		for _, s := range all {
			events += s.until(uint64(108 + n))
		}
	}
	// The last streams that opened may have had one more frame made.
	if got := w.agent.asked.Load() - before; got < changes || got > changes+2 {
		t.Errorf("%d changes with %d streams: the status was asked for %d times, want %d", changes, len(all), got, changes)
	}
	t.Logf("%d changes, %d streams: %d events, of %d frames", changes, len(all), events, w.agent.asked.Load()-before)
}

// TestSlowReader has one that does not read hold nobody up, miss what it was too slow for, and get the newest.
func TestSlowReader(t *testing.T) {
	w := newWorld(t, calmStatus(), quick)
	w.agent.change(func(s *agent.Status) { s.Layers[0].Trouble = tooMuch })
	slow, fast := w.open(), w.open()
	const last = 57
	for n := uint64(8); n <= last; n++ {
		w.agent.change(func(s *agent.Status) { s.Epoch = n })
		fast.until(n)
	}
	got := slow.until(last)
	if got > last/2 {
		t.Errorf("one that read nothing until the end got %d events of %d, want it to have missed most", got, last-7)
	}
	t.Logf("%d frames; one that read nothing meanwhile got %d, the newest at last", last-7, got)
}

// TestDeadReader has the stream of one that never reads end.
func TestDeadReader(t *testing.T) {
	times := quick
	times.patience = 50 * time.Millisecond
	w := newWorld(t, calmStatus(), times)
	w.agent.change(func(s *agent.Status) { s.Layers[0].Trouble = tooMuch })
	w.open()
	w.await("its stream has ended", func() bool {
		w.agent.change(func(s *agent.Status) { s.Epoch++ })
		return len(w.page.open) == 0
	})
}

// TestCap has one stream too many be told so, and another be let in when one has gone.
func TestCap(t *testing.T) {
	w := newWorld(t, calmStatus(), quick)
	var all []*stream
	for range maxStreams {
		s := w.open()
		if s.code != http.StatusOK {
			t.Fatalf("stream %d: %d, want %d", len(all)+1, s.code, http.StatusOK)
		}
		all = append(all, s)
	}
	over := w.open()
	if over.code != http.StatusServiceUnavailable || over.head.Get("Retry-After") != "10" {
		t.Errorf("one too many: %d, Retry-After %q; want %d, 10", over.code, over.head.Get("Retry-After"), http.StatusServiceUnavailable)
	}
	if resp, _ := w.get("/"); resp.StatusCode != http.StatusOK {
		t.Errorf("GET / beside %d streams: %s, want 200", maxStreams, resp.Status)
	}
	all[0].end()
	w.await("another one is let in", func() bool { return w.open().code == http.StatusOK })
}

// TestBeat has a page hear something though nothing changes.
func TestBeat(t *testing.T) {
	times := quick
	times.beat = 5 * time.Millisecond
	s := newWorld(t, calmStatus(), times).open()
	for n := range 5 {
		if _, ok := s.event(); !ok {
			t.Fatalf("the stream has ended after %d events", n)
		}
	}
}

// TestEnd has all streams end with Run, and leave no goroutine.
func TestEnd(t *testing.T) {
	before := runtime.NumGoroutine()
	w := newWorld(t, calmStatus(), quick)
	var all []*stream
	for range 10 {
		s := w.open()
		s.until(7)
		all = append(all, s)
	}
	w.end()
	for n, s := range all {
		for ok := true; ok; {
			_, ok = s.event()
		}
		if s.err != io.EOF {
			t.Fatalf("stream %d has not ended, but %v", n+1, s.err)
		}
	}
	w.await("no stream is left", func() bool { return len(w.page.open) == 0 })
	for _, s := range all {
		s.end()
	}
	// The server has one goroutine that accepts; those of connections end with them.
	w.await(fmt.Sprintf("as many goroutines as before, %d, and the server's", before), func() bool { return runtime.NumGoroutine() <= before+1 })
}
