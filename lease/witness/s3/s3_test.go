package s3_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/s3"
	"github.com/openova-io/failoverd/lease/witness/s3/s3test"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

func serve(t *testing.T, f s3test.Faults) *s3test.Server {
	t.Helper()
	srv := s3test.New(f)
	t.Cleanup(srv.Close)
	return srv
}

func configFor(url string) s3.Config {
	return s3.Config{Endpoint: url, Bucket: s3test.Bucket, Region: s3test.Region, PathStyle: true,
		AccessKeyID: s3test.AccessKeyID, SecretAccessKey: s3test.SecretAccessKey}
}

func open(t *testing.T, cfg s3.Config) *s3.Store {
	t.Helper()
	s, err := s3.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	witnesstest.Run(t, func(t *testing.T) witness.Store { return open(t, configFor(serve(t, s3test.Faults{}).URL)) })
}

// A bucket in the host's name: every name is this host.
func TestVirtualHost(t *testing.T) {
	srv := serve(t, s3test.Faults{})
	witnesstest.Run(t, func(t *testing.T) witness.Store {
		cfg := configFor(strings.Replace(srv.URL, "127.0.0.1", "localhost", 1))
		cfg.PathStyle = false
		cfg.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			if host, _, _ := net.SplitHostPort(address); host != s3test.Bucket+".localhost" {
				t.Errorf("a request to %s, want the bucket before the host", address)
			}
			return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
		}}}
		return witnesstest.Folder(open(t, cfg), t.Name())
	})
}

// The name of an object is what policies of a bucket are written for.
func TestObjectNames(t *testing.T) {
	for _, test := range []struct{ key, want string }{
		{"failoverd/rtz-prod/flag/hz-fsn-rtz-prod", "failoverd/rtz-prod/flag/hz-fsn-rtz-prod.json"},
		{"fail.over_d/g/flag/a", "fail_2Eover_5Fd/g/flag/a.json"},
		{"/a//b/", "_2Fa_2F_2Fb_2F.json"},
		{"../a", "_2E_2E/a.json"},
	} {
		srv := serve(t, s3test.Faults{})
		if err := open(t, configFor(srv.URL)).Put(t.Context(), test.key, []byte("x")); err != nil {
			t.Errorf("Put(%q) = %v", test.key, err)
		} else if got := srv.Objects(); got[0] != test.want {
			t.Errorf("the object of %q is %q, want %q", test.key, got[0], test.want)
		}
	}
	err := open(t, configFor("http://127.0.0.1:1")).Put(t.Context(), strings.Repeat("k", 1020), nil)
	check(t, "a long key", err, witness.Invalid, "shorten witness.prefix")
	err = open(t, configFor("http://127.0.0.1:1")).Put(t.Context(), "", nil)
	check(t, "no key", err, witness.Invalid, "key is empty")
}

func check(t *testing.T, what string, err error, class witness.Class, text string) {
	t.Helper()
	var e *witness.Error
	switch {
	case !errors.As(err, &e):
		t.Errorf("%s: %v is no *witness.Error", what, err)
	case e.Class != class || !strings.Contains(err.Error(), text):
		t.Errorf("%s: %v, want class %s and %q", what, err, class, text)
	case strings.Contains(err.Error(), s3test.SecretAccessKey) || strings.Contains(err.Error(), "Signature="):
		t.Errorf("%s: %v tells a secret", what, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		change func(*s3.Config)
		want   string
	}{
		{func(c *s3.Config) { c.Endpoint = "" }, "witness.s3.endpoint is"},
		{func(c *s3.Config) { c.Endpoint = "s3.example.com" }, "witness.s3.endpoint is"},
		{func(c *s3.Config) { c.Endpoint = "http://s3.example.com" }, "want https"},
		{func(c *s3.Config) { c.Endpoint = "https://u:" + s3test.SecretAccessKey + "@h" }, "witness.s3.endpoint is"},
		{func(c *s3.Config) { c.Endpoint = "https://h/?a=b" }, "witness.s3.endpoint is"},
		{func(c *s3.Config) { c.Bucket = "" }, "witness.s3.bucket is"},
		{func(c *s3.Config) { c.Bucket = "a/b" }, "witness.s3.bucket is"},
		{func(c *s3.Config) { c.Bucket, c.PathStyle = "a.b", false }, "witness.s3.path_style true"},
		{func(c *s3.Config) { c.Region = "" }, "witness.s3.region is empty"},
		{func(c *s3.Config) { c.AccessKeyID = "" }, "witness.s3.credentials_file"},
		{func(c *s3.Config) { c.SecretAccessKey = "" }, "witness.s3.credentials_file"},
	} {
		cfg := configFor("http://127.0.0.1:1")
		test.change(&cfg)
		_, err := s3.New(cfg)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New = %v, want %q", err, test.want)
		} else if strings.Contains(err.Error(), s3test.SecretAccessKey) {
			t.Errorf("New = %v, which tells the secret", err)
		}
	}
}

// What the configuration has wrong, as the store says it.
func TestWrongConfiguration(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*s3.Config)
		want   string
	}{
		{"access key", func(c *s3.Config) { c.AccessKeyID = "other" }, "check witness.s3.credentials_file"},
		{"secret", func(c *s3.Config) { c.SecretAccessKey = "other" }, "check witness.s3.credentials_file"},
		{"region", func(c *s3.Config) { c.Region = "eu-central-1" }, "check witness.s3.region"},
		{"bucket", func(c *s3.Config) { c.Bucket = "elsewhere" }, "check witness.s3.bucket"},
		{"clock ahead", func(c *s3.Config) {
			c.Now = func() time.Time { return time.Now().Add(3 * time.Hour) }
		}, "ahead of the store's"},
		{"clock behind", func(c *s3.Config) {
			c.Now = func() time.Time { return time.Now().Add(-3 * time.Hour) }
		}, "behind the store's"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := configFor(serve(t, s3test.Faults{}).URL)
			test.change(&cfg)
			s := open(t, cfg)
			_, err := s.Get(t.Context(), "k")
			check(t, "Get", err, witness.Refused, test.want)
			check(t, "Put", s.Put(t.Context(), "k", []byte("v")), witness.Refused, test.want)
		})
	}
}

// Each way in which a store, or what stands in its place, refuses.
func TestRefusals(t *testing.T) {
	fail := func(status int, code string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { s3test.Fail(w, status, code, "A message.") }
	}
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		class  witness.Class
		want   string
	}{
		{"access", fail(403, "AccessDenied"), witness.Refused, "s3:ListBucket"},
		{"slow down", fail(503, "SlowDown"), witness.RateLimited, "fewer requests"},
		{"slow down of MinIO", fail(503, "SlowDownRead"), witness.RateLimited, "fewer requests"},
		{"writes of one object", fail(429, "TooManyRequests"), witness.RateLimited, "fewer requests"},
		{"full", fail(507, "XMinioStorageFull"), witness.Quota, "make room"},
		{"quota", fail(403, "QuotaExceeded"), witness.Quota, "make room"},
		{"internal", fail(500, "InternalError"), witness.Unreachable, `HTTP status 500, InternalError "A message."`},
		{"unavailable", fail(503, "ServiceUnavailable"), witness.Unreachable, "503"},
		{"time-out", fail(400, "RequestTimeout"), witness.Unreachable, "400"},
		{"conflict", fail(409, "OperationAborted"), witness.Unreachable, "409"},
		{"no such bucket", fail(404, "NoSuchBucket"), witness.Refused, "witness.s3.bucket"},
		{"elsewhere", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Bucket-Region", "eu-west-1")
			w.Header().Set("Location", "http://127.0.0.1:1/")
			s3test.Fail(w, 301, "PermanentRedirect", "Use the other endpoint.")
		}, witness.Refused, `the bucket is elsewhere, in "eu-west-1"`},
		{"anything else", fail(405, "MethodNotAllowed"), witness.Refused, "MethodNotAllowed"},
		{"a page", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.Header().Set("ETag", `"of a page"`)
			io.WriteString(w, "<html>sign in</html>")
		}, witness.BadAnswer, "sign in"},
		{"empty success", func(http.ResponseWriter, *http.Request) {}, witness.BadAnswer, "HTTP status 200"},
		{"empty 404", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }, witness.BadAnswer, "HTTP status 404"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/other", http.StatusTemporaryRedirect)
		}, witness.BadAnswer, "HTTP status 307"},
		{"echo", func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(400)
			io.WriteString(w, strings.Repeat("x", 70)+s3test.SecretAccessKey)
		}, witness.BadAnswer, "[token]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := serve(t, s3test.Faults{Intercept: func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
				test.answer(w, r)
				return true
			}})
			s := open(t, configFor(srv.URL))
			_, err := s.Get(t.Context(), "k")
			check(t, "Get", err, test.class, test.want)
			check(t, "Put", s.Put(t.Context(), "k", []byte("v")), test.class, test.want)
			if n := srv.Puts(); n != 1 {
				t.Errorf("%d requests to write, want 1", n)
			}
		})
	}
}

func TestMissingIsNoAnswerToAWrite(t *testing.T) {
	srv := serve(t, s3test.Faults{Intercept: func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		s3test.Fail(w, http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
		return true
	}})
	s := open(t, configFor(srv.URL))
	if _, err := s.Get(t.Context(), "k"); !errors.Is(err, witness.ErrNotFound) {
		t.Errorf("Get = %v, want ErrNotFound", err)
	}
	check(t, "Put", s.Put(t.Context(), "k", nil), witness.Refused, "NoSuchKey")
}

// A server that has read a request and closes the connection, new or used
// before, has perhaps carried it out: it must not come again (§1).
func TestPutIsSentOnce(t *testing.T) {
	var cut atomic.Bool
	srv := serve(t, s3test.Faults{Intercept: func(http.ResponseWriter, *http.Request, []byte) bool {
		if cut.Load() {
			panic(http.ErrAbortHandler)
		}
		return false
	}})
	s := open(t, configFor(srv.URL))
	if err := s.Put(t.Context(), "k", []byte("before")); err != nil {
		t.Fatal(err)
	}
	cut.Store(true)
	for _, connection := range []string{"used before", "new"} {
		before := srv.Puts()
		check(t, "Put", s.Put(t.Context(), "k", []byte("cut")), witness.Unreachable, "ask the store")
		if n := srv.Puts() - before; n != 1 {
			t.Errorf("on a connection %s: %d requests to write, want 1", connection, n)
		}
	}
}

// An object that a stranger has written may be of any size.
func TestLargeObject(t *testing.T) {
	srv := serve(t, s3test.Faults{Intercept: func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		w.Header().Set("ETag", `"e"`)
		for range 64 {
			w.Write(make([]byte, 1<<20))
		}
		return true
	}})
	value, err := open(t, configFor(srv.URL)).Get(t.Context(), "k")
	if err != nil || len(value) != witness.MaxRecord+1 {
		t.Errorf("Get = %d bytes, %v, want the first %d", len(value), err, witness.MaxRecord+1)
	}
}

func TestDeadline(t *testing.T) {
	release := make(chan struct{})
	srv := serve(t, s3test.Faults{Intercept: func(http.ResponseWriter, *http.Request, []byte) bool {
		<-release
		return true
	}})
	defer close(release)
	s := open(t, configFor(srv.URL))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	err := s.Put(ctx, "k", []byte("v"))
	check(t, "Put", err, witness.Unreachable, "wait for the store")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Put = %v, want %v", err, context.DeadlineExceeded)
	}
	_, err = open(t, configFor("http://127.0.0.1:1")).Get(t.Context(), "k")
	check(t, "Get of nobody", err, witness.Unreachable, "127.0.0.1:1 can be reached")
	foreign := httptest.NewTLSServer(http.NotFoundHandler()) // its certificate is nobody's
	defer foreign.Close()
	_, err = open(t, configFor(foreign.URL)).Get(t.Context(), "k")
	check(t, "Get of a stranger", err, witness.BadAnswer, "check witness.s3.endpoint and path_style, this machine's clock")
}
