package kvserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cloudflare/cloudflare-go/v7/kv"
	"github.com/cloudflare/cloudflare-go/v7/option"
	"github.com/cloudflare/cloudflare-go/v7/shared"

	"github.com/openova-io/failoverd/e2e/kvserver"
)

// store is what an adapter would make of cloudflare-go.
type store struct {
	srv    *kvserver.Server
	values *kv.NamespaceValueService
}

func newStore(srv *kvserver.Server, baseURL string) *store {
	return &store{srv, kv.NewNamespaceValueService(
		option.WithEnvironmentProduction(),
		option.WithBaseURL(baseURL),
		option.WithAPIToken(srv.Token),
		// A transport of its own: connections that one test cuts must not be another's.
		option.WithHTTPClient(&http.Client{Transport: &http.Transport{}}),
		option.WithMaxRetries(0),
	)}
}

func (s *store) put(ctx context.Context, key, value string) error {
	var params kv.NamespaceValueUpdateParams
	params.AccountID.Value, params.AccountID.Present = s.srv.AccountID, true
	params.Value.Value, params.Value.Present = shared.UnionString(value), true
	_, err := s.values.Update(ctx, s.srv.NamespaceID, url.PathEscape(key), params)
	return err
}

func (s *store) get(ctx context.Context, key string) (string, error) {
	var params kv.NamespaceValueGetParams
	params.AccountID.Value, params.AccountID.Present = s.srv.AccountID, true
	resp, err := s.values.Get(ctx, s.srv.NamespaceID, url.PathEscape(key), params)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

func (s *store) delete(ctx context.Context, key string) error {
	var params kv.NamespaceValueDeleteParams
	params.AccountID.Value, params.AccountID.Present = s.srv.AccountID, true
	_, err := s.values.Delete(ctx, s.srv.NamespaceID, url.PathEscape(key), params)
	return err
}

// TestServer runs all that needs but one server on the same one: a start takes longer than all of them together.
func TestServer(t *testing.T) {
	srv := kvserver.Start(t)
	t.Run("values", func(t *testing.T) { testValues(t, srv) })
	t.Run("missing key", func(t *testing.T) { testMissingKey(t, srv) })
	t.Run("answers", func(t *testing.T) { testAnswers(t, srv) })
	t.Run("cut", func(t *testing.T) { testCut(t, srv) })
	t.Run("stale", func(t *testing.T) { testStale(t, srv) })
	t.Run("split", func(t *testing.T) { testSplit(t, srv) })
	t.Run("refused", func(t *testing.T) { testRefused(t, srv) })
	t.Run("store", func(t *testing.T) { testStore(t, srv) })
	t.Run("watch", func(t *testing.T) { testWatch(t, srv) })
}

func testValues(t *testing.T, srv *kvserver.Server) {
	s := newStore(srv, srv.BaseURL)
	big := strings.Repeat("0123456789abcdef", 64<<10/16)
	// All keys are written before any is read, so that two keys that the way to the store makes one are found out.
	keys := []string{
		"plain",
		"failoverd/group/region",
		"failoverd%2Fgroup%2Fregion",
		"failoverd%252Fgroup",
		"a b+c?d#e&f=g:h!i@j",
		"Zürich/東京",
		"..-dots/../..",
	}
	for _, key := range keys {
		if err := s.put(t.Context(), key, "value of "+key); err != nil {
			t.Errorf("put %q: %v", key, err)
		}
	}
	for _, key := range keys {
		if got, err := s.get(t.Context(), key); err != nil || got != "value of "+key {
			t.Errorf("get %q = %q, %v; want %q", key, got, err, "value of "+key)
		}
	}
	for name, value := range map[string]string{
		"64 KiB": big,
		"empty":  "",
		"JSON":   `{"seq": 1, "state": "active"}` + "\n",
		"bytes":  "\x00\t\r\n--\r\n\u007f",
	} {
		for _, v := range []string{"something that was there before", value} {
			if err := s.put(t.Context(), "overwritten", v); err != nil {
				t.Errorf("%s: put: %v", name, err)
			}
		}
		if got, err := s.get(t.Context(), "overwritten"); err != nil || got != value {
			t.Errorf("%s: get = %d bytes, %v; want the %d that were put", name, len(got), err, len(value))
		}
	}
}

func testMissingKey(t *testing.T, srv *kvserver.Server) {
	s := newStore(srv, srv.BaseURL)
	check := func(when string) {
		t.Helper()
		_, err := s.get(t.Context(), "missing")
		var apiErr *kv.Error
		if !errors.As(err, &apiErr) || apiErr.StatusCode != http.StatusNotFound ||
			len(apiErr.Errors) != 1 || apiErr.Errors[0].Code != 10009 {
			t.Errorf("get of a key that was %s: %v; want status 404 with code 10009", when, err)
		}
	}
	check("never written")
	if err := s.put(t.Context(), "missing", "x"); err != nil {
		t.Fatalf("put: %v", err)
	}
	for range 2 { // deleting what is not there succeeds, as with the API
		if err := s.delete(t.Context(), "missing"); err != nil {
			t.Fatalf("delete: %v", err)
		}
	}
	check("deleted")
}

// testAnswers states each answer in full, for whoever writes an adapter against it.
func testAnswers(t *testing.T, srv *kvserver.Server) {
	const otherID = "00000000000000000000000000000000"
	values := func(account, namespace, key string) string {
		return "/accounts/" + account + "/storage/kv/namespaces/" + namespace + "/values/" + key
	}
	failure := func(code, message string) string {
		return `{"success":false,"errors":[{"code":` + code + `,"message":` + message + `}],"messages":[],"result":null}`
	}
	const ok = `{"success":true,"errors":[],"messages":[],"result":{}}`
	tests := []struct {
		name   string
		method string
		path   string
		token  string // the server's own when empty
		status int
		want   string // compared as JSON if it is an object
	}{
		{"put", "PUT", values(srv.AccountID, srv.NamespaceID, "k"), "", 200, ok},
		{"get", "GET", values(srv.AccountID, srv.NamespaceID, "k"), "", 200, "body"},
		{"get missing", "GET", values(srv.AccountID, srv.NamespaceID, "none"), "", 404, failure("10009", `"get: 'key not found'"`)},
		{"delete", "DELETE", values(srv.AccountID, srv.NamespaceID, "k"), "", 200, ok},
		{"delete missing", "DELETE", values(srv.AccountID, srv.NamespaceID, "k"), "", 200, ok},
		{"get, unknown namespace", "GET", values(srv.AccountID, otherID, "k"), "", 404, failure("10013", `"get: 'namespace not found'"`)},
		{"put, unknown namespace", "PUT", values(srv.AccountID, otherID, "k"), "", 404, failure("10013", `"put: 'namespace not found'"`)},
		{"malformed token", "GET", values(srv.AccountID, srv.NamespaceID, "k"), "short", 400,
			failure("6003", `"Invalid request headers","error_chain":[{"code":6111,"message":"Invalid format for Authorization header"}]`)},
		{"unknown token", "GET", values(srv.AccountID, srv.NamespaceID, "k"), strings.Repeat("x", 40), 401, failure("10000", `"Authentication error"`)},
		{"another account", "GET", values(otherID, srv.NamespaceID, "k"), "", 403, failure("10000", `"Authentication error"`)},
		{"malformed account", "GET", values("mine", srv.NamespaceID, "k"), "", 404, failure("7003",
			`"Could not route to /accounts/mine/storage/kv/namespaces/`+srv.NamespaceID+`/values/k, perhaps your object identifier is invalid?"`)},
		{"unescaped slash", "GET", values(srv.AccountID, srv.NamespaceID, "a/b"), "", 404, failure("7000", `"No route for that URI"`)},
		{"wrong method", "POST", values(srv.AccountID, srv.NamespaceID, "k"), "", 405, failure("7001", `"Method POST not available for that URI."`)},
		{"list", "GET", "/accounts/" + srv.AccountID + "/storage/kv/namespaces/" + srv.NamespaceID + "/keys?prefix=no-such", "", 200,
			`{"success":true,"errors":[],"messages":[],"result":[],"result_info":{"count":0,"cursor":""}}`},
		{"expiration", "PUT", values(srv.AccountID, srv.NamespaceID, "k?expiration_ttl=60"), "", 501,
			failure("0", `"kvserver: wrangler's explorer ignores an expiration"`)},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), tt.method, srv.BaseURL+tt.path, strings.NewReader("body"))
			if err != nil {
				t.Fatal(err)
			}
			token := tt.token
			if token == "" {
				token = srv.Token
			}
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			contentType := "application/octet-stream"
			got, want := strings.TrimSpace(string(body)), tt.want
			if strings.HasPrefix(want, "{") {
				contentType = "application/json"
				got, want = canonical(t, got), canonical(t, want)
			}
			if resp.StatusCode != tt.status || got != want || resp.Header.Get("Content-Type") != contentType {
				t.Errorf("%s %s: %d %s %s\nwant %d %s %s", tt.method, tt.path,
					resp.StatusCode, resp.Header.Get("Content-Type"), got, tt.status, contentType, want)
			}
		})
	}
}

func canonical(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("not JSON: %q: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// testCut shows that a cut touches one client alone, that a request of which the client gave up is not carried out
// later, and that one that is still waited for is.
func testCut(t *testing.T, srv *kvserver.Server) {
	fsnURL, cut := srv.Client("fsn")
	helURL, _ := srv.Client("hel")
	if again, _ := srv.Client("fsn"); again != fsnURL || helURL == fsnURL {
		t.Fatalf("links are mixed up: fsn has %s and then %s, hel has %s", fsnURL, again, helURL)
	}
	fsn, hel := newStore(srv, fsnURL), newStore(srv, helURL)
	if err := fsn.put(t.Context(), "cut", "before"); err != nil {
		t.Fatalf("put before the cut: %v", err)
	}

	cut(true)
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if err := fsn.put(short, "cut", "given up"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("put through a link that is cut: %v; want a time-out", err)
	}
	if got, err := hel.get(t.Context(), "cut"); err != nil || got != "before" {
		t.Errorf("get of another client = %q, %v; want %q", got, err, "before")
	}

	var group sync.WaitGroup
	group.Go(func() {
		if err := fsn.put(t.Context(), "patient", "late"); err != nil {
			t.Errorf("put that waited for the link: %v", err)
		}
	})
	cut(false)
	group.Wait()
	if got, err := hel.get(t.Context(), "patient"); err != nil || got != "late" {
		t.Errorf("get = %q, %v; want %q", got, err, "late")
	}
	if got, err := hel.get(t.Context(), "cut"); err != nil || got != "before" {
		t.Errorf("get after the link healed = %q, %v; want %q: the client had given up the other", got, err, "before")
	}
}

// testStale has one client's reads be old, and nobody else's.
func testStale(t *testing.T, srv *kvserver.Server) {
	link := srv.Link("stale")
	own, other := newStore(srv, link.BaseURL), newStore(srv, srv.BaseURL)
	reads := func(s *store, want string) {
		t.Helper()
		if got, err := s.get(t.Context(), "aging"); err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
	}
	writes := func(value string) {
		t.Helper()
		if err := own.put(t.Context(), "aging", value); err != nil {
			t.Fatal(err)
		}
	}
	writes("first")
	link.Stale(time.Hour)
	reads(own, "first")
	writes("second")
	reads(own, "first")
	reads(other, "second")
	link.Stale(time.Nanosecond) // what is remembered is older than that
	reads(own, "second")
	writes("third")
	reads(own, "third")
	link.Stale(0)
	writes("fourth")
	reads(own, "fourth")
}

// testSplit has one client read what is its own, and nothing else that is new.
func testSplit(t *testing.T, srv *kvserver.Server) {
	link := srv.Link("split")
	half, whole := newStore(srv, link.BaseURL), newStore(srv, srv.BaseURL)
	keys := []string{"split/own", "split/other", "split/renown"}
	writes := func(value string) {
		t.Helper()
		for _, k := range keys {
			if err := whole.put(t.Context(), k, value); err != nil {
				t.Fatal(err)
			}
		}
	}
	reads := func(want ...string) {
		t.Helper()
		for i, k := range keys {
			if got, err := half.get(t.Context(), k); err != nil || got != want[i] {
				t.Errorf("%s: got %q, %v; want %q", k, got, err, want[i])
			}
		}
	}
	writes("first")
	link.Split("own")
	reads("first", "first", "first")
	writes("second")
	reads("second", "first", "first")
	link.Stale(0)
	reads("second", "second", "second")
}

func testRefused(t *testing.T, srv *kvserver.Server) {
	link := srv.Link("refused")
	s := newStore(srv, link.BaseURL)
	if err := s.put(t.Context(), "refused", "before"); err != nil {
		t.Fatalf("put: %v", err) // and leaves a connection that is kept alive
	}
	link.Refuse()
	for range 2 {
		err := s.put(t.Context(), "refused", "during")
		if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.EPIPE) {
			t.Errorf("put through a link that refuses: %v; want a reset connection", err)
		}
	}
	link.Heal()
	if got, err := s.get(t.Context(), "refused"); err != nil || got != "before" {
		t.Errorf("get after the link healed = %q, %v; want %q", got, err, "before")
	}

	// A request that hangs when the link begins to refuse fails, and never arrives.
	link.Hang()
	failed := make(chan error, 1)
	go func() { failed <- s.put(t.Context(), "refused", "hung") }()
	link.Refuse()
	if err := <-failed; err == nil {
		t.Error("put through a link that hung and then refused: no error")
	}
	link.Heal()
	if got, err := s.get(t.Context(), "refused"); err != nil || got != "before" {
		t.Errorf("get after the link healed = %q, %v; want %q", got, err, "before")
	}
}

// TestSeveral runs two servers at once: they share nothing.
func TestSeveral(t *testing.T) {
	var stores [2]*store
	for i := range stores {
		srv := kvserver.Start(t)
		stores[i] = newStore(srv, srv.BaseURL)
	}
	if err := stores[0].put(t.Context(), "k", "first"); err != nil {
		t.Fatalf("put: %v", err)
	}
	var apiErr *kv.Error
	if got, err := stores[1].get(t.Context(), "k"); !errors.As(err, &apiErr) || apiErr.StatusCode != http.StatusNotFound {
		t.Errorf("get from the other server = %q, %v; want status 404", got, err)
	}
	if got, err := stores[0].get(t.Context(), "k"); err != nil || got != "first" {
		t.Errorf("get = %q, %v; want %q", got, err, "first")
	}
}
