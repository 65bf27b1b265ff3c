// Package witnesstest is the suite that every witness store runs: what the
// lease relies on, as far as it can be seen from outside.
//
// Run and RunStale show what a store does while all is well. Whether it keeps
// its staleness bound, and whether an attempt lands at most once, shows when
// its servers or its network are ill: RunLinearizable and RunStaleness judge
// what several clients saw while a store's own test brings that about.
package witnesstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
)

// Run runs the suite against a store whose staleness bound is 0. Each test
// opens an empty store of its own.
func Run(t *testing.T, open func(t *testing.T) witness.Store) {
	RunStale(t, func(t *testing.T) (witness.Store, func()) { return open(t), func() {} })
}

// RunStale runs the suite against a store whose reads may be stale: settle
// lets the staleness bound pass, by the clock of the store.
func RunStale(t *testing.T, open func(t *testing.T) (store witness.Store, settle func())) {
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s subject)
	}{
		{"missing key", testMissing},
		{"read your write", testReadYourWrite},
		{"overwrite", testOverwrite},
		{"write after a cached miss", testWriteAfterMiss},
		{"awkward keys", testKeys},
		{"values are byte-exact", testValues},
		{"large values", testLarge},
		{"concurrent writers", testConcurrent},
		{"never torn", testTorn},
		{"ended context", testContext},
	} {
		t.Run(test.name, func(t *testing.T) {
			store, settle := open(t)
			test.run(t, subject{store, settle})
		})
	}
}

// Folder is an empty store within another, for one that tests share.
func Folder(of witness.Store, name string) witness.Store { return folder{of, name + "/"} }

type folder struct {
	witness.Store
	prefix string
}

func (f folder) Put(ctx context.Context, key string, value []byte) error {
	return f.Store.Put(ctx, f.prefix+key, value)
}

func (f folder) Get(ctx context.Context, key string) ([]byte, error) {
	return f.Store.Get(ctx, f.prefix+key)
}

type subject struct {
	witness.Store
	settle func()
}

func (s subject) put(t *testing.T, key, value string) {
	t.Helper()
	if err := s.Put(t.Context(), key, []byte(value)); err != nil {
		t.Fatalf("Put(%q) = %v", key, err)
	}
}

func (s subject) want(t *testing.T, key, want string) {
	t.Helper()
	got, err := s.Get(t.Context(), key)
	if err != nil {
		t.Errorf("Get(%q) = %v", key, err)
	} else if string(got) != want {
		t.Errorf("Get(%q) = %.100q (%d bytes), want %.100q (%d bytes)", key, got, len(got), want, len(want))
	}
}

func (s subject) wantMissing(t *testing.T, key string) {
	t.Helper()
	if got, err := s.Get(t.Context(), key); !errors.Is(err, witness.ErrNotFound) {
		t.Errorf("Get(%q) = %.100q, %v, want ErrNotFound", key, got, err)
	}
}

func testMissing(t *testing.T, s subject) {
	s.wantMissing(t, "failoverd/group/flag/nobody")
}

func testReadYourWrite(t *testing.T, s subject) {
	s.put(t, "failoverd/group/flag/a", "one")
	s.settle()
	s.want(t, "failoverd/group/flag/a", "one")
	s.wantMissing(t, "failoverd/group/flag/b")
	s.wantMissing(t, "failoverd/group/flag")
}

func testOverwrite(t *testing.T, s subject) {
	for _, value := range []string{"a longer first value", "short", "the third"} {
		s.put(t, "k", value)
		s.settle()
		s.want(t, "k", value)
	}
}

func testWriteAfterMiss(t *testing.T, s subject) {
	s.wantMissing(t, "k")
	s.put(t, "k", "one")
	s.settle()
	s.want(t, "k", "one")
}

func testKeys(t *testing.T, s subject) {
	keys := []string{
		"a", "A", "a/b", "a%2Fb", "a%2fb", "a%252Fb", "a/b/", "a//b", "/a/b", "a/../b", "../a", "a/..", "a/./b", ".a", "..a", "...",
		"a b", "a+b", "a%20b", "a?b=c", "a#b", "a&b", "a;b", "a:b", "a@b", "a=b", "a,b", "a\\b", "a\"b", "a'b", "a*b", "a|b", "a<b>",
		"a~b", "a!b", "a$b", "a(b)", "a[b]", "ä", "a\u0308", "日本", "🙂", "%", "%%", "%zz", strings.Repeat("k", 200),
	}
	for _, key := range keys {
		s.put(t, key, "value of "+key)
	}
	s.settle()
	for _, key := range keys {
		s.want(t, key, "value of "+key)
	}
}

func testValues(t *testing.T, s subject) {
	for i, value := range []string{
		`{"a":"\u0000\u2028\ud83d\ude00","b":[1e999,-0,"\\"]}`,
		"{\r\n\t\"a\" : 1 }\n\n",
		" leading and trailing ",
		"--boundary\r\nContent-Disposition: form-data; name=\"value\"\r\n\r\nx\r\n--boundary--\r\n",
		"a=b&c=%41+d",
		"\xef\xbb\xbf{}",
		"\x00\x01\xfe\xff not UTF-8 \xc3\x28",
		`{"success":true,"errors":[],"messages":[],"result":null}`,
		"null",
	} {
		key := fmt.Sprintf("k%d", i)
		s.put(t, key, value)
		s.settle()
		s.want(t, key, value)
	}
}

func testLarge(t *testing.T, s subject) {
	largest := strings.Repeat("0123456789abcde\n", witness.MaxRecord/16)
	s.put(t, "k", largest)
	s.settle()
	s.want(t, "k", largest)

	err := s.Put(t.Context(), "k", []byte(largest+"x"))
	if got := witness.ClassOf(err); got != witness.Invalid {
		t.Errorf("Put of MaxRecord+1 bytes = %v, want class %s", err, witness.Invalid)
	}
	s.settle()
	s.want(t, "k", largest)
}

func testConcurrent(t *testing.T, s subject) {
	const writers, writes = 4, 8
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range writes {
				if err := s.Put(t.Context(), fmt.Sprintf("k%d", w), fmt.Appendf(nil, "%d of %d", i, w)); err != nil {
					t.Errorf("Put: %v", err)
				}
			}
		})
	}
	wg.Wait()
	s.settle()
	for w := range writers {
		s.want(t, fmt.Sprintf("k%d", w), fmt.Sprintf("%d of %d", writes-1, w))
	}
}

func testTorn(t *testing.T, s subject) {
	value := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i%26)}, 20000+997*(i%7)) }
	s.put(t, "k", string(value(0)))
	s.settle()
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for i := range 40 {
			if err := s.Put(t.Context(), "k", value(i)); err != nil {
				t.Errorf("Put: %v", err)
			}
		}
	})
	for range 2 {
		wg.Go(func() {
			for {
				got, err := s.Get(t.Context(), "k")
				if err != nil {
					t.Errorf("Get: %v", err)
					return
				}
				if len(got) < 20000 || (len(got)-20000)%997 != 0 || len(bytes.Trim(got, string(got[:1]))) > 0 {
					t.Errorf("Get returned a mixture or a part of values: %d bytes, starting with %.10q", len(got), got)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	wg.Wait()
}

func testContext(t *testing.T, s subject) {
	s.put(t, "k", "before")
	s.settle()
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	for _, test := range []struct {
		name string
		ctx  context.Context
		want error
	}{
		{"cancelled", cancelled, context.Canceled},
		{"deadline passed", late, context.DeadlineExceeded},
	} {
		_, getErr := s.Get(test.ctx, "k")
		for op, err := range map[string]error{"Get": getErr, "Put": s.Put(test.ctx, "k", []byte("after"))} {
			if witness.ClassOf(err) != witness.Unreachable || !errors.Is(err, test.want) {
				t.Errorf("%s with context %s = %v, want class %s and %v", op, test.name, err, witness.Unreachable, test.want)
			}
			var e *witness.Error
			if !errors.As(err, &e) {
				t.Errorf("%s with context %s = %T, want *witness.Error", op, test.name, err)
			}
		}
	}
}
