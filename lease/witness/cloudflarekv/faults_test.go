package cloudflarekv_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv/kvtest"
)

// twoClients are a writer and a reader of one namespace, whose time the test
// moves. Faults are the reader's and the writer's alike until they are set.
func twoClients(t *testing.T, f kvtest.Faults) (srv *kvtest.Server, c *clock, writer, reader *cloudflarekv.Store) {
	t.Helper()
	c = &clock{now: time.Unix(0, 0)}
	srv = serve(t, kvtest.Options{Tokens: []string{"writer", "reader"}, Now: c.Now, Faults: f})
	client := func(token string) *cloudflarekv.Store {
		cfg := configFor(srv.URL)
		cfg.Token = token
		return open(t, cfg)
	}
	return srv, c, client("writer"), client("reader")
}

func put(t *testing.T, s witness.Store, value string) {
	t.Helper()
	if err := s.Put(t.Context(), "k", []byte(value)); err != nil {
		t.Fatalf("Put(%q) = %v", value, err)
	}
}

// get is what a read returns: a value, "missing", or the class of its error.
func get(t *testing.T, s witness.Store) string {
	t.Helper()
	value, err := s.Get(t.Context(), "k")
	switch {
	case errors.Is(err, witness.ErrNotFound):
		return "missing"
	case err != nil:
		return string(witness.ClassOf(err))
	}
	return string(value)
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
}

func TestStaleReads(t *testing.T) {
	_, c, writer, reader := twoClients(t, kvtest.Faults{Staleness: time.Minute})
	want(t, "before the first write", get(t, reader), "missing")
	put(t, writer, "one")
	c.Add(59 * time.Second)
	want(t, "a cached miss", get(t, reader), "missing")
	want(t, "the writer's own cache", get(t, writer), "one")
	c.Add(time.Second)
	want(t, "after the bound", get(t, reader), "one")
	put(t, writer, "two")
	c.Add(59 * time.Second)
	want(t, "a cached value", get(t, reader), "one")
	c.Add(time.Second)
	want(t, "after the bound", get(t, reader), "two")
}

func TestStaleBeyondTheDeclaredBound(t *testing.T) {
	srv, c, writer, reader := twoClients(t, kvtest.Faults{})
	srv.SetFaults("reader", kvtest.Faults{Staleness: time.Hour})
	put(t, writer, "one")
	want(t, "the first read", get(t, reader), "one")
	put(t, writer, "two")
	c.Add(59 * time.Minute)
	want(t, "far beyond a minute", get(t, reader), "one")
	want(t, "another client", get(t, writer), "two")
	c.Add(time.Minute)
	want(t, "in the end", get(t, reader), "two")
}

// Reads that go to different caches return older values after newer ones, yet
// none that was overwritten longer ago than the bound.
func TestReadsAreNotMonotonic(t *testing.T) {
	const staleness, step = time.Minute, 5 * time.Second
	_, c, writer, reader := twoClients(t, kvtest.Faults{Staleness: staleness, Caches: 3})
	backwards, last := false, 0
	for i := 1; i <= 200; i++ {
		put(t, writer, fmt.Sprint(i))
		var got int
		if _, err := fmt.Sscan(get(t, reader), &got); err != nil {
			t.Fatal(err)
		}
		if oldest := i - int(staleness/step); got < oldest {
			t.Fatalf("read %d returned %d, want at least %d", i, got, oldest)
		}
		backwards = backwards || got < last
		last = got
		c.Add(step)
	}
	if !backwards {
		t.Error("no read returned an older value than the one before")
	}
}

func TestAnswerLostAfterApplying(t *testing.T) {
	srv, _, writer, reader := twoClients(t, kvtest.Faults{})
	want(t, "a request that leaves a connection for reuse", get(t, writer), "missing")
	srv.SetFaults("writer", kvtest.Faults{LoseAnswer: 1})
	err := writer.Put(t.Context(), "k", []byte("one"))
	check(t, "Put", err, witness.Unreachable, "")
	want(t, "the write whose answer was lost", get(t, reader), "one")
	if n := srv.Counts("writer").Puts; n != 1 {
		t.Errorf("%d requests, want 1: a lost answer must not be followed by another attempt", n)
	}
}

// A write that lands late hides a newer one, in each of the two orders in
// which it can: that is why a lost write is unknown and not failed.
func TestLateWriteLandsAfterANewerOne(t *testing.T) {
	srv, c, writer, reader := twoClients(t, kvtest.Faults{})
	srv.SetFaults("writer", kvtest.Faults{Late: 1, LateMin: time.Minute, LateMax: time.Minute})
	check(t, "Put", writer.Put(t.Context(), "k", []byte("late")), witness.Unreachable, "")
	srv.SetFaults("writer", kvtest.Faults{})
	want(t, "before it lands", get(t, reader), "missing")
	put(t, writer, "newer")
	want(t, "the newer one", get(t, reader), "newer")
	c.Add(time.Minute)
	want(t, "the late one", get(t, reader), "late")
	put(t, writer, "newest")
	c.Add(time.Hour)
	want(t, "it lands once", get(t, reader), "newest")
}

func TestLateWritesLandInTheOrderInWhichTheyFallDue(t *testing.T) {
	srv, c, writer, reader := twoClients(t, kvtest.Faults{})
	for i, after := range []time.Duration{3 * time.Second, time.Second, 2 * time.Second} {
		srv.SetFaults("writer", kvtest.Faults{Late: 1, LateMin: after, LateMax: after})
		check(t, "Put", writer.Put(t.Context(), "k", fmt.Appendf(nil, "write %d", i)), witness.Unreachable, "")
	}
	for _, w := range []string{"write 1", "write 2", "write 0"} {
		c.Add(time.Second)
		want(t, "a second later", get(t, reader), w)
	}
}

// Faults that are answered, or cut: the class, and whether the write landed.
func TestAnsweredFaults(t *testing.T) {
	for _, test := range []struct {
		name    string
		faults  kvtest.Faults
		put     witness.Class
		get     string
		applied bool
	}{
		{"rate limit", kvtest.Faults{RateLimited: 1, RetryAfter: 5 * time.Minute, ApplyFailed: 1}, witness.RateLimited, "rate_limited", false},
		{"quota", kvtest.Faults{OverQuota: 1, ApplyFailed: 1}, witness.Quota, "before", false},
		{"server error", kvtest.Faults{ServerError: 1}, witness.Unreachable, "unreachable", false},
		{"server error, applied", kvtest.Faults{ServerError: 1, ApplyFailed: 1}, witness.Unreachable, "unreachable", true},
		{"success false", kvtest.Faults{SuccessFalse: 1}, witness.Unreachable, "unreachable", false},
		{"success false, applied", kvtest.Faults{SuccessFalse: 1, ApplyFailed: 1}, witness.Unreachable, "unreachable", true},
		{"cut", kvtest.Faults{Cut: 1}, witness.Unreachable, "unreachable", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv, _, writer, reader := twoClients(t, test.faults)
			srv.SetValue("k", []byte("before"))
			err := writer.Put(t.Context(), "k", []byte("after"))
			check(t, "Put", err, test.put, "")
			var e *witness.Error
			if errors.As(err, &e) && e.RetryAfter != test.faults.RetryAfter {
				t.Errorf("RetryAfter = %v, want %v", e.RetryAfter, test.faults.RetryAfter)
			}
			want(t, "Get", get(t, reader), test.get)
			if value, _ := srv.Value("k"); (string(value) == "after") != test.applied {
				t.Errorf("the store holds %q, want applied %v", value, test.applied)
			}
			if n := srv.Counts("writer").Puts; n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

// A client that is cut off says nothing of another one.
func TestFaultsArePerClient(t *testing.T) {
	srv, _, writer, reader := twoClients(t, kvtest.Faults{})
	srv.SetFaults("writer", kvtest.Faults{ServerError: 1})
	want(t, "the client with faults", get(t, writer), "unreachable")
	want(t, "another", get(t, reader), "missing")
	srv.SetFaults("writer", kvtest.Faults{})
	want(t, "when they are over", get(t, writer), "missing")
}
