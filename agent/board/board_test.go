package board_test

import (
	"bytes"
	"context"
	"errors"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent/board"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// A store is one that both regions of a test see.
type store struct {
	mu     sync.Mutex
	notes  map[lease.Region]witness.Notes
	writes int
	reads  int
	down   bool
}

func (s *store) write(region lease.Region, n witness.Notes) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down {
		return errors.New("down")
	}
	s.writes++
	s.notes[region] = n
	return nil
}

func (s *store) ReadNotes(_ context.Context, region lease.Region) (witness.Notes, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reads++
	n, ok := s.notes[region]
	if s.down || !ok {
		return witness.Notes{}, witness.ErrNotFound
	}
	return n, nil
}

type of struct {
	*store
	region lease.Region
}

func (o of) WriteNotes(_ context.Context, n witness.Notes) error { return o.write(o.region, n) }

func start(t *testing.T, s *store, region, other lease.Region, log hclog.Logger) *board.Board {
	begun := time.Now()
	b := board.New(board.Config{
		Store: of{s, region}, Others: []lease.Region{other}, Log: log,
		Now:   func() lease.Instant { return lease.Instant(time.Since(begun)) },
		Every: 10 * time.Second, Soon: 2 * time.Second, Timeout: 5 * time.Second,
	})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); b.Run(ctx) }()
	t.Cleanup(func() { stop(); <-done })
	return b
}

func wait(d time.Duration) {
	time.Sleep(d) // of the bubble's time
	synctest.Wait()
}

func TestNotes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{notes: map[lease.Region]witness.Notes{}}
		fsn, hel := start(t, s, "fsn", "hel", hclog.NewNullLogger()), start(t, s, "hel", "fsn", hclog.NewNullLogger())
		wait(30 * time.Second)
		if s.writes > 0 || len(hel.Notes("cnpg")) > 0 {
			t.Errorf("with nothing to tell: %d writes, and hel knows %v", s.writes, hel.Notes("cnpg"))
		}
		fsn.Publish("cnpg", "one")
		wait(12 * time.Second)
		want := []layers.Note{{Region: "fsn", Text: "one"}}
		got := hel.Notes("cnpg")
		if len(got) != 1 || got[0].Text != "one" || got[0].Silence > 10*time.Second {
			t.Errorf("got %v, want %v, heard of within 10 s", got, want)
		}
		if other := hel.Notes("strimzi"); len(other) > 0 {
			t.Errorf("got %v of another layer, want nothing", other)
		}

		// It hurries: what is new is there within two of the short intervals.
		hel.Hurry(true)
		wait(2 * time.Second)
		fsn.Publish("cnpg", "two")
		wait(4 * time.Second)
		if got := hel.Notes("cnpg"); len(got) != 1 || got[0].Text != "two" {
			t.Errorf("in a hurry: got %v, want two", got)
		}
		hel.Hurry(false)

		// Nothing new is told again all the same; and a note grows old when it is not.
		wait(time.Minute)
		if got := hel.Notes("cnpg"); got[0].Silence > 10*time.Second {
			t.Errorf("told again each 10 s: silence is %v", got[0].Silence)
		}
		s.mu.Lock()
		s.down = true
		s.mu.Unlock()
		wait(time.Minute)
		if got := hel.Notes("cnpg"); got[0].Text != "two" || got[0].Silence < time.Minute {
			t.Errorf("the witness is down: got %v, want what was known, and that it is old", got)
		}
		s.mu.Lock()
		s.down = false
		s.mu.Unlock()
		wait(20 * time.Second)
		if got := hel.Notes("cnpg"); got[0].Silence > 10*time.Second {
			t.Errorf("the witness is up again: silence is %v", got[0].Silence)
		}
	})
}

// A layer that publishes all the time costs a write each 2 s and no more.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{notes: map[lease.Region]witness.Notes{}}
		fsn := start(t, s, "fsn", "hel", hclog.NewNullLogger())
		for i := range 100 {
			fsn.Publish("cnpg", time.Duration(i).String())
			wait(100 * time.Millisecond)
		}
		if s.writes > 6 || s.reads > 2 {
			t.Errorf("in 10 s: %d writes and %d reads, want 6 and 2 at most", s.writes, s.reads)
		}
		if got := s.notes["fsn"].Layers; !reflect.DeepEqual(got, map[string]string{"cnpg": got["cnpg"]}) {
			t.Errorf("got %v", got)
		}
	})
}

// TestRead asks once for what others have told, without telling anything.
func TestRead(t *testing.T) {
	s := &store{notes: map[lease.Region]witness.Notes{"hel": {Layers: map[string]string{"cnpg": "news"}}}}
	b := board.New(board.Config{Store: of{s, "fsn"}, Others: []lease.Region{"hel"}, Log: hclog.NewNullLogger(),
		Now: func() lease.Instant { return 0 }, Timeout: 5 * time.Second})
	b.Read(t.Context())
	got, want := b.Notes("cnpg"), []layers.Note{{Region: "hel", Text: "news"}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("notes: got %v, want %v", got, want)
	}
	if s.writes != 0 {
		t.Errorf("%d notes were written, want none", s.writes)
	}
}

// TestFailureIsLoggedOnce has writing fail for long: that is logged once, and so is its end.
func TestFailureIsLoggedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{notes: map[lease.Region]witness.Notes{}}
		var log bytes.Buffer
		fsn := start(t, s, "fsn", "hel", hclog.New(&hclog.LoggerOptions{Output: &log}))
		down := func(is bool) {
			s.mu.Lock()
			s.down = is
			s.mu.Unlock()
		}
		down(true)
		for range 10 {
			fsn.Publish("cnpg", time.Now().String())
			fsn.Hurry(true) // it looks again, and has nothing to send yet
			wait(11 * time.Second)
		}
		down(false)
		wait(time.Minute)
		if got := log.String(); strings.Count(got, "can't be written") != 1 || strings.Count(got, "works again") != 1 || strings.Count(got, "\n") != 2 {
			t.Errorf("got the log:\n%swant that it can't be written, once, and that it works again, once", got)
		}
	})
}
