package s3_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/s3/s3test"
)

func TestSelfTest(t *testing.T) {
	srv := serve(t, s3test.Faults{})
	seen, err := open(t, configFor(srv.URL)).SelfTest(t.Context(), "p/g/test/r")
	if err != nil || !strings.Contains(seen, "one succeeded") {
		t.Errorf("SelfTest = %q, %v, want success", seen, err)
	}
	if left := srv.Objects(); len(left) > 0 {
		t.Errorf("it left %q, want nothing", left)
	}
}

// A bucket that is not what it says is refused, and left as it was.
func TestSelfTestRefuses(t *testing.T) {
	for _, test := range []struct {
		name   string
		faults s3test.Faults
		class  witness.Class
		want   string
	}{
		{"ignores If-Match", s3test.Faults{IgnoreIfMatch: true}, witness.BadAnswer, "it ignores If-Match"},
		{"ignores If-None-Match", s3test.Faults{IgnoreIfNoneMatch: true}, witness.BadAnswer, "it ignores If-None-Match"},
		{"conditions are not atomic", s3test.Faults{RaceyConditions: true}, witness.BadAnswer, "writes that raced under the same condition succeeded"},
		{"stale reads", s3test.Faults{StaleReads: 1}, witness.BadAnswer, "it is stale: a read that was sent after a write was answered"},
		{"cached misses", s3test.Faults{CachedMisses: true}, witness.BadAnswer, "it is stale: a read that was sent after a write was answered found no object"},
		{"no conditional writes", s3test.Faults{Intercept: func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.Header.Get("If-None-Match") == "" {
				return false
			}
			s3test.Fail(w, http.StatusNotImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented.")
			return true
		}}, witness.BadAnswer, "it has no conditional writes"},
		{"conditions always fail", s3test.Faults{Intercept: func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.Header.Get("If-Match") == "" {
				return false
			}
			s3test.Fail(w, http.StatusPreconditionFailed, "PreconditionFailed", "No.")
			return true
		}}, witness.BadAnswer, "and the ETag that the object has, was refused"},
		{"no permission to write", s3test.Faults{Intercept: func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.Method != http.MethodPut {
				return false
			}
			s3test.Fail(w, http.StatusForbidden, "AccessDenied", "Access Denied.")
			return true
		}}, witness.Refused, "s3:PutObject"},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := serve(t, test.faults)
			seen, err := open(t, configFor(srv.URL)).SelfTest(t.Context(), "p/g/test/r")
			if seen != "" {
				t.Errorf("SelfTest = %q, want nothing seen", seen)
			}
			check(t, "SelfTest", err, test.class, test.want)
			if left := srv.Objects(); len(left) > 0 {
				t.Errorf("it left %q, want nothing", left)
			}
		})
	}
}

// R2 takes one write a second of an object, and AWS S3 answers 409 to a write
// that another one came between: both mean that nothing was written.
func TestSelfTestIsPutOff(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusConflict} {
		var conditional atomic.Int32
		srv := serve(t, s3test.Faults{Intercept: func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
			if r.Header.Get("If-Match") == "" || conditional.Add(1) != 3 {
				return false
			}
			s3test.Fail(w, status, "Later", "Later.")
			return true
		}})
		if seen, err := open(t, configFor(srv.URL)).SelfTest(t.Context(), "p"); err != nil {
			t.Errorf("%d: SelfTest = %q, %v, want success", status, seen, err)
		}
	}
}

// What can't be removed is said, and is no reason to refuse the bucket.
func TestSelfTestMayNotRemove(t *testing.T) {
	srv := serve(t, s3test.Faults{Intercept: func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		if r.Method != http.MethodDelete {
			return false
		}
		s3test.Fail(w, http.StatusForbidden, "AccessDenied", "Access Denied.")
		return true
	}})
	seen, err := open(t, configFor(srv.URL)).SelfTest(t.Context(), "p")
	if err != nil || !strings.Contains(seen, "what it has written is still there") || !strings.Contains(seen, "s3:DeleteObject") {
		t.Errorf("SelfTest = %q, %v, want to be told what to allow", seen, err)
	}
}

func TestSelfTestIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var puts atomic.Int32
	srv := serve(t, s3test.Faults{Intercept: func(http.ResponseWriter, *http.Request, []byte) bool {
		if puts.Add(1) == 20 {
			cancel()
		}
		return false
	}})
	_, err := open(t, configFor(srv.URL)).SelfTest(ctx, "p")
	check(t, "SelfTest", err, witness.Unreachable, "context canceled")
	if left := srv.Objects(); len(left) > 0 {
		t.Errorf("it left %q, want nothing", left)
	}
}
