package durableobject_test

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
	"github.com/openova-io/failoverd/lease/witness/durableobject"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

const token = "a-very-secret-token"

func configFor(url string) durableobject.Config {
	return durableobject.Config{URL: url, Token: token, Group: "rtz"}
}

func open(t *testing.T, cfg durableobject.Config) *durableobject.Store {
	t.Helper()
	s, err := durableobject.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signed has an answer look like the Worker's to this request.
func signed(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Failoverd-Witness", "1")
	w.Header().Set("Failoverd-Request", r.Header.Get("Failoverd-Request"))
}

// refusal is an answer of the Worker that is no success.
func refusal(status int, code, message string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		signed(w, r)
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"version":"1","error":{"code":%q,"message":%q}}`, code, message)
	}
}

func page(status int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.WriteHeader(status)
		// The first 80 bytes are quoted: they end inside of the token.
		fmt.Fprintf(w, "%-65s%s", "<html>"+text, r.Header.Get("Authorization"))
	}
}

// worker is the Worker as a client sees it. The real one is asked in e2e/durableobject.
func worker() http.HandlerFunc {
	var mu sync.Mutex
	values := map[string][]byte{}
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		signed(w, r)
		key := r.FormValue("group") + "\x00" + r.FormValue("key")
		switch value, ok := values[key]; {
		case r.URL.Path != "/v1/register" || r.Header.Get("Authorization") != "Bearer "+token || r.FormValue("group") != "rtz":
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodPost:
			values[key] = body
			w.WriteHeader(http.StatusNoContent)
		case ok:
			w.Write(value)
		default:
			refusal(http.StatusNotFound, "no_record", "there is none")(w, r)
		}
	}
}

func TestConformance(t *testing.T) {
	witnesstest.Run(t, func(t *testing.T) witness.Store {
		srv := httptest.NewServer(worker())
		t.Cleanup(srv.Close)
		return open(t, configFor(srv.URL+"/"))
	})
}

func TestNewRefuses(t *testing.T) {
	for _, test := range []struct {
		change func(*durableobject.Config)
		want   string
	}{
		{func(c *durableobject.Config) { c.URL = "" }, "witness.durable_object.url"},
		{func(c *durableobject.Config) { c.URL = "worker.example.com" }, "https://"},
		{func(c *durableobject.Config) { c.URL = "ftp://worker.example.com" }, "https://"},
		{func(c *durableobject.Config) { c.URL = "https://worker.example.com/v1" }, "without a path"},
		{func(c *durableobject.Config) { c.URL = "http://worker.example.com" }, "in clear"},
		{func(c *durableobject.Config) { c.URL = "https://user:secret@worker.example.com" }, "has a user"},
		{func(c *durableobject.Config) { c.URL = "https://worker.example.com?token=secret" }, "a query"},
		{func(c *durableobject.Config) { c.Token = "" }, "witness.durable_object.token_file is empty"},
		{func(c *durableobject.Config) { c.Token = "secret\n" }, "witness.durable_object.token_file holds spaces"},
		{func(c *durableobject.Config) { c.Group = "" }, "group"},
	} {
		cfg := configFor("http://[::1]:1")
		test.change(&cfg)
		_, err := durableobject.New(cfg)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("New = %v, want %q", err, test.want)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("New = %v, which tells a secret", err)
		}
	}
}

// Each way in which the Worker, or what stands in its place, says no.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name   string
		answer http.HandlerFunc
		class  witness.Class
		want   string
	}{
		{"wrong token", refusal(401, "wrong_token", "no"), witness.Refused, "witness.durable_object.token_file"},
		{"no secret in the Worker", refusal(500, "not_configured", "the secret TOKEN is not set"), witness.Refused, "the secret TOKEN is not set"},
		{"rate limit", refusal(429, "rate_limited", "slower"), witness.RateLimited, "REQUESTS_PER_SECOND"},
		{"free plan", refusal(507, "quota", "Exceeded allowed rows written in Durable Objects free tier."), witness.Quota, "Workers Paid"},
		{"full", refusal(507, "too_many_registers", "it has 256"), witness.Quota, "three for each region"},
		{"unknown", refusal(503, "unknown", "Durable Object reset"), witness.Unreachable, "Durable Object reset"},
		{"a code that is new", refusal(400, "novel", "?"), witness.BadAnswer, "novel"},
		{"path", refusal(404, "unknown_path", "elsewhere"), witness.Refused, "witness.durable_object.url"},
		{"no body", func(w http.ResponseWriter, r *http.Request) { signed(w, r); w.WriteHeader(400) }, witness.BadAnswer, "HTTP status 400"},
		{"the other operation's success", func(w http.ResponseWriter, r *http.Request) {
			signed(w, r)
			w.WriteHeader(map[string]int{"GET": 204, "POST": 200}[r.Method])
		}, witness.BadAnswer, "HTTP status 20"},
		{"another version", func(w http.ResponseWriter, r *http.Request) {
			signed(w, r)
			w.Header().Set("Failoverd-Witness", "2")
		}, witness.Refused, `speaks version "2" of its API, want 1; deploy the Worker of this version`},
		{"an answer to another request", func(w http.ResponseWriter, r *http.Request) {
			signed(w, r)
			w.Header().Set("Failoverd-Request", "0123456789abcdef0123456789abcdef")
		}, witness.BadAnswer, "another request; have nothing between here and Cloudflare answer from a cache"},
		{"missing, to another request", func(w http.ResponseWriter, r *http.Request) {
			r.Header.Del("Failoverd-Request")
			refusal(404, "no_record", "none")(w, r)
		}, witness.BadAnswer, "another request"},
		{"nothing is deployed there", page(404, "There is nothing here yet"), witness.BadAnswer, "witness.durable_object.url"},
		{"sign-in page", page(200, "Sign in"), witness.BadAnswer, "sign-in page"},
		{"sign-in page for a write", page(204, ""), witness.BadAnswer, "sign-in page"},
		{"403 page", page(403, "Forbidden"), witness.BadAnswer, "sign-in page"},
		{"502 page", page(502, "Bad gateway"), witness.Unreachable, "HTTP status 502"},
		{"the free plan's page", page(429, "error code: 1027"), witness.Quota, "Workers Paid"},
		{"rate limit page", page(429, "error code: 1015"), witness.RateLimited, "HTTP status 429"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, witness.BadAnswer, `HTTP status 307 to "/elsewhere"`},
		{"echo of the token", func(w http.ResponseWriter, r *http.Request) {
			refusal(400, "novel", strings.Repeat(" ", 285)+r.Header.Get("Authorization"))(w, r)
		}, witness.BadAnswer, "novel"},
		{"echo of the token in a header", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Failoverd-Witness", r.Header.Get("Authorization"))
		}, witness.Refused, "version"},
		{"no HTTP", func(w http.ResponseWriter, r *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", r.Header.Get("Authorization"))
				conn.Close()
			}
		}, witness.Unreachable, "127.0.0.1"},
		{"cut in the middle", func(w http.ResponseWriter, r *http.Request) {
			signed(w, r)
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("half"))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, witness.Unreachable, "read answer: unexpected EOF"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var requests atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				io.Copy(io.Discard, r.Body)
				test.answer(w, r)
			}))
			defer srv.Close()
			s := open(t, configFor(srv.URL))
			_, err := s.Get(t.Context(), "p/g/flag/r")
			check(t, "Get", err, test.class, test.want)
			if n := requests.Load(); n != 1 {
				t.Errorf("Get made %d requests, want 1", n)
			}
			check(t, "Put", s.Put(t.Context(), "p/g/flag/r", []byte("x")), test.class, test.want)
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

// What stands in the way of an answer: each says what to look at.
func TestNoAnswer(t *testing.T) {
	foreign := httptest.NewTLSServer(worker()) // its certificate is nobody's
	defer foreign.Close()
	for _, test := range []struct {
		url   string
		class witness.Class
		want  string
	}{
		{"http://127.0.0.1:1", witness.Unreachable, "check that 127.0.0.1:1 can be reached"},
		{foreign.URL, witness.BadAnswer, "this machine's clock, and that no proxy takes TLS apart"},
		{"https://failoverd.invalid", witness.Unreachable, "witness.durable_object.url, and that this machine can look up failoverd.invalid"},
	} {
		s := open(t, configFor(test.url))
		_, err := s.Get(t.Context(), "k")
		check(t, "Get", err, test.class, test.want)
		check(t, "Put", s.Put(t.Context(), "k", []byte("x")), test.class, test.want)
	}
}

func TestKeysThatTheWorkerDoesNotTake(t *testing.T) {
	s := open(t, configFor("http://127.0.0.1:1"))
	for _, key := range []string{"", strings.Repeat("k", 1025), "\xff"} {
		_, err := s.Get(t.Context(), key)
		check(t, "Get", err, witness.Invalid, "want from 1 to 1024")
		check(t, "Put", s.Put(t.Context(), key, nil), witness.Invalid, "want from 1 to 1024")
	}
}

func TestOversizeReadIsBounded(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		signed(w, r)
		for _, err := w.Write(make([]byte, 1<<16)); err == nil; _, err = w.Write(make([]byte, 1<<16)) {
		}
	}))
	defer srv.Close()
	got, err := open(t, configFor(srv.URL)).Get(t.Context(), "k")
	if err != nil || len(got) != witness.MaxRecord+1 {
		t.Errorf("Get = %d bytes, %v, want %d", len(got), err, witness.MaxRecord+1)
	}
}

func TestHangEndsWithTheContext(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer srv.Close()
	s := open(t, configFor(srv.URL))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_, err := s.Get(ctx, "k")
	check(t, "Get", err, witness.Unreachable, "deadline exceeded")
	ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	check(t, "Put", s.Put(ctx, "k", []byte("x")), witness.Unreachable, "deadline exceeded")
}

func TestSentOnce(t *testing.T) {
	witnesstest.RunSentOnce(t, func(t *testing.T, url string, client *http.Client) witness.Store {
		cfg := configFor(url)
		cfg.HTTPClient = client
		return open(t, cfg)
	})
}
