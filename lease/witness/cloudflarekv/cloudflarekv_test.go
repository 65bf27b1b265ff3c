package cloudflarekv_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv"
	"github.com/openova-io/failoverd/lease/witness/cloudflarekv/kvtest"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

// clock is a clock that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

func serve(t *testing.T, opts kvtest.Options) *kvtest.Server {
	t.Helper()
	srv := kvtest.New(opts)
	t.Cleanup(srv.Close)
	return srv
}

func configFor(url string) cloudflarekv.Config {
	return cloudflarekv.Config{AccountID: kvtest.AccountID, NamespaceID: kvtest.NamespaceID, Token: kvtest.Token, BaseURL: url}
}

func open(t *testing.T, cfg cloudflarekv.Config) *cloudflarekv.Store {
	t.Helper()
	s, err := cloudflarekv.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestConformance(t *testing.T) {
	witnesstest.Run(t, func(t *testing.T) witness.Store {
		return open(t, configFor(serve(t, kvtest.Options{}).URL))
	})
}

func TestConformanceStale(t *testing.T) {
	witnesstest.RunStale(t, func(t *testing.T) (witness.Store, func()) {
		const staleness = time.Minute
		c := &clock{now: time.Unix(0, 0)}
		srv := serve(t, kvtest.Options{Now: c.Now, Faults: kvtest.Faults{Staleness: staleness, Caches: 3}})
		return open(t, configFor(srv.URL)), func() { c.Add(staleness) }
	})
}

func TestStaleness(t *testing.T) {
	const staleness = 200 * time.Millisecond
	srv := serve(t, kvtest.Options{Faults: kvtest.Faults{Staleness: staleness, Caches: 3}})
	open := func(t *testing.T) witness.Store { return open(t, configFor(srv.URL)) }
	witnesstest.RunStaleness(t, staleness, open, func(_ *testing.T, c *witnesstest.Clients) {
		srv.SetFaults(kvtest.Token, kvtest.Faults{
			Staleness: staleness, Caches: 3,
			ServerError: 0.1, LoseAnswer: 0.1, Late: 0.1, LateMin: staleness, LateMax: 2 * staleness, ApplyFailed: 0.5,
		})
		c.Await(40)
		srv.SetFaults(kvtest.Token, kvtest.Faults{Staleness: staleness, Caches: 3})
	})
}

func TestSentOnce(t *testing.T) {
	witnesstest.RunSentOnce(t, func(t *testing.T, url string, client *http.Client) witness.Store {
		cfg := configFor(url)
		cfg.HTTPClient = client
		return open(t, cfg)
	})
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		change func(*cloudflarekv.Config)
		want   string
	}{
		{func(c *cloudflarekv.Config) { c.AccountID = "" }, "witness.cloudflare_kv.account_id is empty"},
		{func(c *cloudflarekv.Config) { c.NamespaceID = "" }, "witness.cloudflare_kv.namespace_id is empty"},
		{func(c *cloudflarekv.Config) { c.Token = "" }, "witness.cloudflare_kv.api_token_file is empty"},
		{func(c *cloudflarekv.Config) { c.Token = "secret-token\n" }, "witness.cloudflare_kv.api_token_file holds spaces"},
		{func(c *cloudflarekv.Config) { c.BaseURL = "api.cloudflare.com" }, "witness.cloudflare_kv.base_url"},
		{func(c *cloudflarekv.Config) { c.BaseURL = "ftp://host/" }, "witness.cloudflare_kv.base_url"},
		{func(c *cloudflarekv.Config) { c.BaseURL = "http://%zz" }, "witness.cloudflare_kv.base_url"},
		{func(c *cloudflarekv.Config) { c.BaseURL = "http://kv.example.com" }, "in clear"},
	} {
		cfg := configFor("http://127.0.0.1:1")
		test.change(&cfg)
		_, err := cloudflarekv.New(cfg)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New = %v, want %q", err, test.want)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("New = %v, which tells the token", err)
		}
	}
}

// Each way in which Cloudflare, or what stands in its place, refuses.
func TestRefusals(t *testing.T) {
	const token = "a-very-secret-token"
	api := func(status int, codes ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"success":false,"errors":[%s],"messages":[],"result":null}`, strings.Join(codes, ","))
		}
	}
	page := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
			// The first 80 bytes are quoted: they end inside of the token.
			fmt.Fprintf(w, "%-65s%s", "<html>", r.Header.Get("Authorization"))
		}
	}
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		get    witness.Class // of a Get; "" for ErrNotFound
		put    witness.Class
		want   string // part of each message
	}{
		{"token unknown", api(403, `{"code":9109,"message":"Invalid access token"}`), witness.Refused, witness.Refused, "witness.cloudflare_kv.api_token_file"},
		{"token malformed", api(400, `{"code":6003,"message":"Invalid request headers"}`), witness.Refused, witness.Refused, "witness.cloudflare_kv.api_token_file"},
		{"token missing", api(400, `{"code":9106,"message":"Missing headers"}`), witness.Refused, witness.Refused, "witness.cloudflare_kv.api_token_file"},
		{"not authenticated", api(401, `{"code":10000,"message":"Authentication error"}`), witness.Refused, witness.Refused, "witness.cloudflare_kv.api_token_file"},
		{"account unknown", api(403, `{"code":10000,"message":"Authentication error"}`), witness.Refused, witness.Refused, "witness.cloudflare_kv.account_id"},
		{"namespace unknown", api(404, `{"code":10013,"message":"namespace not found"}`), witness.Refused, witness.Refused, "witness.cloudflare_kv.namespace_id"},
		{"namespace unknown to wrangler", api(404, `{"code":10000,"message":"Namespace not found"}`), witness.Refused, witness.Refused, "witness.cloudflare_kv.namespace_id"},
		{"ids malformed", api(404, `{"code":7003,"message":"Could not route"}`), witness.Refused, witness.Refused, "32 hexadecimal digits"},
		{"key missing", api(404, `{"code":10009,"message":"get: 'key not found'"}`), "", witness.Refused, ""},
		{"key missing in wrangler", api(404, `{"code":10000,"message":"Key not found"}`), "", witness.Refused, ""},
		{"404 of another kind", api(404, `{"code":10099,"message":"what?"}`), witness.Refused, witness.Refused, `code 10099 "what?"`},
		{"404 without a code", api(404), witness.Refused, witness.Refused, "HTTP status 404"},
		{"404 page", page(404), witness.BadAnswer, witness.BadAnswer, "witness.cloudflare_kv.base_url"},
		{"403 page", page(403), witness.BadAnswer, witness.BadAnswer, "witness.cloudflare_kv.base_url"},
		{"200 page", page(200), witness.BadAnswer, witness.BadAnswer, "witness.cloudflare_kv.base_url"},
		{"502 page", page(502), witness.Unreachable, witness.Unreachable, "HTTP status 502"},
		{"quota", api(429, `{"code":10048,"message":"free usage limit"}`), witness.Quota, witness.Quota, "8,640 writes a day, the free plan allows 1,000"},
		{"rate limit", api(429, `{"code":971,"message":"Please wait"}`), witness.RateLimited, witness.RateLimited, "1,200 in 5 minutes"},
		{"rate limit page", page(429), witness.RateLimited, witness.RateLimited, "1,200 in 5 minutes"},
		{"500", api(500, `{"code":10002,"message":"oops"}`), witness.Unreachable, witness.Unreachable, "HTTP status 500"},
		{"200 but no success", api(200, `{"code":10002,"message":"oops"}`), witness.Unreachable, witness.Unreachable, `code 10002 "oops"`},
		{"200 but the token is bad", api(200, `{"code":9109,"message":"Invalid access token"}`), witness.Refused, witness.Refused, "api_token_file"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		},
			witness.BadAnswer, witness.BadAnswer, "HTTP status 307"},
		{"echo of the token", func(w http.ResponseWriter, r *http.Request) {
			api(400, fmt.Sprintf(`{"code":1,"message":"%185s %s"}`, "", r.Header.Get("Authorization")))(w, r)
		}, witness.Refused, witness.Refused, "code 1"},
		{"echo of the token alone", func(w http.ResponseWriter, r *http.Request) {
			api(400, fmt.Sprintf(`{"code":1,"message":"%s"}`, r.Header.Get("Authorization")))(w, r)
		}, witness.Refused, witness.Refused, "Bearer [token]"},
		{"no HTTP", func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", r.Header.Get("Authorization"))
				conn.Close()
			}
		}, witness.Unreachable, witness.Unreachable, "127.0.0.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var requests atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				io.Copy(io.Discard, r.Body)
				test.answer(w, r)
			}))
			defer srv.Close()
			cfg := configFor(srv.URL)
			cfg.Token = token
			s := open(t, cfg)

			_, getErr := s.Get(t.Context(), "p/g/flag/r")
			if test.get == "" {
				if !errors.Is(getErr, witness.ErrNotFound) {
					t.Errorf("Get = %v, want ErrNotFound", getErr)
				}
			} else {
				check(t, "Get", getErr, test.get, test.want)
			}
			if n := requests.Load(); n != 1 {
				t.Errorf("Get made %d requests, want 1", n)
			}
			check(t, "Put", s.Put(t.Context(), "p/g/flag/r", []byte("x")), test.put, test.want)
			if n := requests.Load(); n != 2 {
				t.Errorf("Put made %d requests, want 1", n-1)
			}
		})
	}
}

// check checks an error's class, and that it tells no part of the token.
func check(t *testing.T, op string, err error, class witness.Class, want string) {
	t.Helper()
	if err == nil || errors.Is(err, witness.ErrNotFound) {
		t.Errorf("%s = %v, want class %s", op, err, class)
		return
	}
	if got := witness.ClassOf(err); got != class || !strings.Contains(err.Error(), want) {
		t.Errorf("%s = %v, want class %s and %q", op, err, class, want)
	}
	if strings.Contains(err.Error(), "a-very") || strings.Contains(fmt.Sprintf("%#v", err), "a-very") {
		t.Errorf("%s = %v, which tells the token", op, err)
	}
}

// The real thing, as far as kvtest is: each part of the configuration wrong.
func TestWrongConfiguration(t *testing.T) {
	srv := serve(t, kvtest.Options{})
	foreign := httptest.NewTLSServer(http.NotFoundHandler()) // its certificate is nobody's
	defer foreign.Close()
	for _, test := range []struct {
		name   string
		change func(*cloudflarekv.Config)
		class  witness.Class
		want   string
	}{
		{"token", func(c *cloudflarekv.Config) { c.Token = "another" }, witness.Refused, "api_token_file"},
		{"account", func(c *cloudflarekv.Config) { c.AccountID = "0" }, witness.Refused, "account_id"},
		{"account with a slash", func(c *cloudflarekv.Config) { c.AccountID = "a/b" }, witness.Refused, "account_id"},
		{"namespace", func(c *cloudflarekv.Config) { c.NamespaceID = "0" }, witness.Refused, "namespace_id"},
		{"path", func(c *cloudflarekv.Config) { c.BaseURL = srv.URL + "/v5" }, witness.Refused, "account_id"},
		{"port", func(c *cloudflarekv.Config) { c.BaseURL = "http://127.0.0.1:1" }, witness.Unreachable, "check that 127.0.0.1:1 can be reached"},
		{"certificate", func(c *cloudflarekv.Config) { c.BaseURL = foreign.URL }, witness.BadAnswer, "this machine's clock, and that no proxy takes TLS apart"},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := configFor(srv.URL)
			test.change(&cfg)
			s := open(t, cfg)
			_, err := s.Get(t.Context(), "k")
			check(t, "Get", err, test.class, test.want)
			check(t, "Put", s.Put(t.Context(), "k", []byte("x")), test.class, test.want)
		})
	}
	if c := srv.Counts(kvtest.Token); c != (kvtest.Counts{}) {
		t.Errorf("%+v requests came through, want none", c)
	}
}

func TestRetryAfter(t *testing.T) {
	for _, test := range []struct {
		header   string
		min, max time.Duration
	}{
		{"", 0, 0},
		{"7", 7 * time.Second, 7 * time.Second},
		{"-1", 0, 0},
		{"soon", 0, 0},
		{"99999999999", 0, 24 * time.Hour},
		{"999999", 24 * time.Hour, 24 * time.Hour},
		{time.Now().Add(time.Hour).UTC().Format(http.TimeFormat), time.Minute, time.Hour},
		{"Mon, 02 Jan 2006 15:04:05 GMT", 0, 0},
	} {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", test.header)
			w.WriteHeader(http.StatusTooManyRequests)
		}))
		_, err := open(t, configFor(srv.URL)).Get(t.Context(), "k")
		srv.Close()
		var e *witness.Error
		if !errors.As(err, &e) || e.Class != witness.RateLimited || e.RetryAfter < test.min || e.RetryAfter > test.max {
			t.Errorf("Retry-After %q: %v, want class %s and a wait from %v to %v", test.header, err, witness.RateLimited, test.min, test.max)
		}
	}
}

func TestKeysThatCloudflareDoesNotTake(t *testing.T) {
	srv := serve(t, kvtest.Options{})
	s := open(t, configFor(srv.URL))
	for _, key := range []string{"", ".", "..", strings.Repeat("k", 513)} {
		_, err := s.Get(t.Context(), key)
		check(t, "Get", err, witness.Invalid, "want from 1 to 512")
		check(t, "Put", s.Put(t.Context(), key, nil), witness.Invalid, "want from 1 to 512")
	}
	if c := srv.Counts(kvtest.Token); c != (kvtest.Counts{}) {
		t.Errorf("%+v requests were made, want none", c)
	}
}

func TestOversizeReadIsBounded(t *testing.T) {
	srv := serve(t, kvtest.Options{})
	srv.SetValue("k", make([]byte, 10*witness.MaxRecord))
	got, err := open(t, configFor(srv.URL)).Get(t.Context(), "k")
	if err != nil || len(got) != witness.MaxRecord+1 {
		t.Errorf("Get = %d bytes, %v, want %d", len(got), err, witness.MaxRecord+1)
	}
}

// A body without an end is cut off, not read for ever.
func TestEndlessAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for _, err := w.Write(make([]byte, 1<<16)); err == nil; _, err = w.Write(make([]byte, 1<<16)) {
		}
	}))
	defer srv.Close()
	_, err := open(t, configFor(srv.URL)).Get(t.Context(), "k")
	check(t, "Get", err, witness.Unreachable, "HTTP status 500")
}

func TestHangEndsWithTheContext(t *testing.T) {
	srv := serve(t, kvtest.Options{Faults: kvtest.Faults{Hang: 1}})
	s := open(t, configFor(srv.URL))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := s.Get(ctx, "k")
	check(t, "Get", err, witness.Unreachable, "deadline exceeded")
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	check(t, "Put", s.Put(ctx, "k", []byte("x")), witness.Unreachable, "deadline exceeded")
}
