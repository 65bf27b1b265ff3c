package s3_test

import (
	"context"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/s3"
	"github.com/openova-io/failoverd/lease/witness"
	store "github.com/openova-io/failoverd/lease/witness/s3"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

// patience is far above what anything here takes.
const patience = 2 * time.Minute

func open(t *testing.T, cfg store.Config) *store.Store {
	t.Helper()
	s, err := store.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// each runs a test on each real store.
func each(t *testing.T, run func(t *testing.T, cfg store.Config)) {
	t.Run("versitygw", func(t *testing.T) { run(t, s3.Start(t).Config) })
	t.Run("R2", func(t *testing.T) { run(t, s3.R2(t)) })
}

func TestConformance(t *testing.T) {
	each(t, func(t *testing.T, cfg store.Config) {
		s := open(t, cfg)
		witnesstest.Run(t, func(t *testing.T) witness.Store {
			return witnesstest.Folder(s, strings.TrimPrefix(t.Name(), "TestConformance/"))
		})
	})
}

// The bucket is before the host's name, which is looked up nowhere here.
func TestVirtualHost(t *testing.T) {
	srv := s3.Start(t, "--virtual-domain", "localhost")
	cfg := srv.Config
	address := strings.TrimPrefix(cfg.Endpoint, "http://")
	cfg.Endpoint, cfg.PathStyle = "http://localhost", false
	cfg.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}}}
	s := open(t, cfg)
	witnesstest.Run(t, func(t *testing.T) witness.Store {
		return witnesstest.Folder(s, strings.TrimPrefix(t.Name(), "TestVirtualHost/"))
	})
}

// Versitygw is killed and started again on the same folder, and frozen, again and again, while clients write and read. What is
// sent to one that is frozen waits in its socket: it lands when the client has given it up long since.
func TestLinearizable(t *testing.T) {
	srv := s3.Start(t)
	witnesstest.RunLinearizable(t, func(t *testing.T) witness.Store { return open(t, srv.Config) }, func(t *testing.T, c *witnesstest.Clients) {
		for range 3 {
			if err := srv.Process().Kill(); err != nil {
				t.Fatal(err)
			}
			c.Await(5)
			srv.Restart()
			c.AwaitAnswers(20)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			err := srv.Process().Freeze(ctx)
			cancel()
			if err != nil {
				t.Fatal(err)
			}
			c.Await(2)
			if err := srv.Process().Thaw(); err != nil {
				t.Fatal(err)
			}
			c.AwaitAnswers(20)
		}
	})
}

func TestLinearizableR2(t *testing.T) {
	cfg := s3.R2(t)
	witnesstest.RunLinearizable(t, func(t *testing.T) witness.Store { return open(t, cfg) }, nil)
}

// Real stores are what they say; and what a real store, and no stand-in, answers to a wrong configuration is told with its
// remedy.
func TestSelfTest(t *testing.T) {
	each(t, func(t *testing.T, cfg store.Config) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		seen, err := open(t, cfg).SelfTest(ctx, "failoverd/g/test/r")
		if err != nil {
			t.Errorf("SelfTest = %v, want success", err)
		}
		t.Log(seen)
	})
}

func TestWrongConfiguration(t *testing.T) {
	each(t, func(t *testing.T, right store.Config) {
		r2 := right.Region == "auto"
		for _, test := range []struct {
			name   string
			change func(*store.Config)
			want   string
		}{
			{"secret", func(c *store.Config) { c.SecretAccessKey = "another-secret" }, "check witness.s3.credentials_file"},
			{"access key", func(c *store.Config) { c.AccessKeyID = "another" }, "check witness.s3.credentials_file"},
			{"bucket", func(c *store.Config) { c.Bucket = "elsewhere" }, "check witness.s3.bucket"},
			{"region", func(c *store.Config) { c.Region = "eu-central-7" }, "check witness.s3.region"},
			{"clock ahead", func(c *store.Config) { c.Now = func() time.Time { return time.Now().Add(3 * time.Hour) } }, "by NTP: requests are signed with the time"},
			{"clock behind", func(c *store.Config) { c.Now = func() time.Time { return time.Now().Add(-3 * time.Hour) } }, "by NTP: requests are signed with the time"},
		} {
			if test.name == "region" && r2 {
				continue // wrangler takes any
			}
			t.Run(test.name, func(t *testing.T) {
				cfg := right
				test.change(&cfg)
				s := open(t, cfg)
				_, err := s.Get(t.Context(), "k")
				for _, err := range []error{err, s.Put(t.Context(), "k", []byte("v"))} {
					if witness.ClassOf(err) != witness.Refused || !strings.Contains(err.Error(), test.want) {
						t.Errorf("got %v, want class %s and %q", err, witness.Refused, test.want)
					}
				}
			})
		}
	})
}
