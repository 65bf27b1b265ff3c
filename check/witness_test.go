package check_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openova-io/failoverd/check"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/s3"
	"github.com/openova-io/failoverd/lease/witness/s3/s3test"
)

// TestBucket asks buckets that are what they say, and that are not.
func TestBucket(t *testing.T) {
	const selfTest = "self-test of the witness"
	for _, tt := range []struct {
		name   string
		faults s3test.Faults
		ahead  time.Duration // of this host's wall clock
		asked  string
		level  check.Level
		want   string
	}{
		{"well", s3test.Faults{}, 0, selfTest, check.OK, "one succeeded"},
		{"stale", s3test.Faults{StaleReads: 1}, 0, selfTest, check.Problem, "it is stale"},
		{"ignores If-Match", s3test.Faults{IgnoreIfMatch: true}, 0, selfTest, check.Problem, "it ignores If-Match"},
		{"the clock is hours off", s3test.Faults{}, 3 * time.Hour, "witness", check.Problem, "RequestTimeTooSkewed"},
	} {
		srv := s3test.New(tt.faults)
		t.Cleanup(srv.Close)
		store, err := s3.New(s3.Config{Endpoint: srv.URL, Bucket: s3test.Bucket, Region: s3test.Region, PathStyle: true,
			AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey, Now: func() time.Time { return time.Now().Add(tt.ahead) }})
		if err != nil {
			t.Fatal(err)
		}
		w, err := witness.New(store, witness.Config{Prefix: "failoverd", Group: "rtz", Region: "fsn", Members: []lease.Region{"fsn", "hel"},
			PrivateKey: keyOf("fsn"), PublicKeys: keysOf("fsn", "hel")})
		if err != nil {
			t.Fatal(err)
		}
		found := check.Live(t.Context(), check.Config{Params: params("fsn"), Witnesses: witness.Several{w}})
		last := found[len(found)-1]
		if last.Asked != tt.asked || last.Level != tt.level || !strings.Contains(last.Got, tt.want) || (last.Remedy == "") != (tt.level == check.OK) {
			t.Errorf("%s: got %v, want level %s and %q", tt.name, last, tt.level, tt.want)
		}
		if left := srv.Objects(); len(left) > 0 {
			t.Errorf("%s: it left %q, want nothing", tt.name, left)
		}
	}
}

// A hungStore answers reads; its self-test hangs.
type hungStore struct{}

func (hungStore) Put(context.Context, string, []byte) error   { return nil }
func (hungStore) Get(context.Context, string) ([]byte, error) { return nil, witness.ErrNotFound }
func (hungStore) Remove(context.Context, string) error        { return nil }
func (hungStore) SelfTest(ctx context.Context, key string) (string, error) {
	<-ctx.Done()
	return "", witness.Interrupted(ctx, "get", key)
}

// TestSelfTestEnds: nobody waits for a store for ever.
func TestSelfTestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, err := witness.New(hungStore{}, witness.Config{Prefix: "failoverd", Group: "rtz", Region: "fsn", Members: []lease.Region{"fsn", "hel"},
			PrivateKey: keyOf("fsn"), PublicKeys: keysOf("fsn", "hel")})
		if err != nil {
			t.Fatal(err)
		}
		found := check.Live(t.Context(), check.Config{Params: params("fsn"), Witnesses: witness.Several{w}})
		last := found[len(found)-1]
		if last.Asked != "self-test of the witness" || last.Level != check.Problem || !strings.Contains(last.Got, "deadline") || last.Remedy == "" {
			t.Errorf("got %v, want that the self-test ran out of time", last)
		}
	})
}
