package durableobject_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/durableobject"
)

const (
	token    = durableobject.Token
	oldToken = "old-0123456789abcdef0123456789abcdef"
)

// A request is one as it goes out; what is empty is that of a good one.
type request struct {
	method, path, query, authorization, id string
	body                                   io.Reader
}

// An answer is what came back: its code is that of a refusal.
type answer struct {
	status     int
	header     http.Header
	code, body string
}

func (a answer) String() string {
	return strings.TrimSpace(fmt.Sprintf("%d %s", a.status, a.code))
}

func key(name string) string { return url.Values{"group": {"g"}, "key": {name}}.Encode() }

// send sends a request; the error is that it was not answered.
func send(t *testing.T, srv *durableobject.Server, r request) (*http.Response, error) {
	t.Helper()
	if r.method == "" {
		r.method = http.MethodGet
	}
	if r.path == "" {
		r.path = "/v1/register"
	}
	if r.query == "" {
		r.query = key("k")
	}
	if r.authorization == "" {
		r.authorization = "Bearer " + token
	}
	ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
	t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, r.method, srv.URL+r.path+"?"+r.query, r.body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", r.authorization)
	if r.id != "" {
		req.Header.Set("Failoverd-Request", r.id)
	}
	return http.DefaultClient.Do(req)
}

func ask(t *testing.T, srv *durableobject.Server, r request) answer {
	t.Helper()
	res, err := send(t, srv, r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var refusal struct {
		Version string
		Error   struct{ Code, Message string }
	}
	if res.StatusCode >= 300 {
		if err := json.Unmarshal(body, &refusal); err != nil || refusal.Version != "1" || refusal.Error.Code == "" || refusal.Error.Message == "" {
			t.Errorf("%s %s: HTTP status %d, %v with %q, want a version, a code and a message", res.Request.Method, res.Request.URL.Path, res.StatusCode, err, body)
		}
	}
	if res.Header.Get("Failoverd-Witness") != "1" || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Failoverd-Request") != r.id {
		t.Errorf("%s %s: headers %v, want the version, no-store and the id %q of the request", res.Request.Method, res.Request.URL.Path, res.Header, r.id)
	}
	return answer{res.StatusCode, res.Header, refusal.Error.Code, string(body)}
}

func put(value string) request {
	return request{method: http.MethodPost, body: strings.NewReader(value)}
}

func wants(t *testing.T, srv *durableobject.Server, what string, r request, want string) answer {
	t.Helper()
	got := ask(t, srv, r)
	if got.String() != want {
		t.Errorf("%s: %v %s, want %s", what, got, got.body, want)
	}
	return got
}

func TestAnswers(t *testing.T) {
	srv := durableobject.Start(t, durableobject.Options{})
	large := bytes.Repeat([]byte("0123456789abcde\n"), 64<<10/16)
	for _, test := range []struct {
		name string
		r    request
		want string
	}{
		{"before the first write", request{}, "404 no_record"},
		{"write", put("one"), "204"},
		{"another path", request{path: "/"}, "404 unknown_path"},
		{"another version", request{path: "/v2/register"}, "404 unknown_path"},
		{"a path that goes on", request{path: "/v1/register/k"}, "404 unknown_path"},
		{"PUT, which others may repeat", request{method: http.MethodPut, body: strings.NewReader("x")}, "405 bad_request"},
		{"DELETE", request{method: http.MethodDelete}, "405 bad_request"},
		{"no key", request{query: "group=g"}, "400 bad_request"},
		{"an empty key", request{query: "group=g&key="}, "400 bad_request"},
		{"no group", request{query: "key=k"}, "400 bad_request"},
		{"a long key", request{query: key(strings.Repeat("k", 1024))}, "404 no_record"},
		{"a key that is too long", request{query: key(strings.Repeat("k", 1025))}, "400 bad_request"},
		{"the largest value", request{method: http.MethodPost, query: key("large"), body: bytes.NewReader(large)}, "204"},
		{"one byte more", request{method: http.MethodPost, query: key("large"), body: bytes.NewReader(append(large, 'x'))}, "413 too_large"},
		{"one byte more, length unknown", request{method: http.MethodPost, query: key("large"), body: io.MultiReader(bytes.NewReader(large), strings.NewReader("x"))}, "413 too_large"},
		{"another group's key", request{query: "group=h&key=k"}, "404 no_record"},
	} {
		wants(t, srv, test.name, test.r, test.want)
	}
	// Of much more, not all is read: the answer is there before the request is through, which may break.
	switch res, err := send(t, srv, request{method: http.MethodPost, query: key("large"), body: bytes.NewReader(make([]byte, 1<<20))}); {
	case err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET):
		t.Errorf("a megabyte: %v, want an answer or a broken connection", err)
	case err == nil:
		if res.Body.Close(); res.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("a megabyte: HTTP status %d, want %d", res.StatusCode, http.StatusRequestEntityTooLarge)
		}
	}
	if got := wants(t, srv, "read", request{}, "200"); got.body != "one" || got.header.Get("Content-Type") != "application/octet-stream" {
		t.Errorf("read %q as %s, want what was written, as bytes", got.body, got.header.Get("Content-Type"))
	}
	if got := wants(t, srv, "read what was too large for once", request{query: key("large")}, "200"); got.body != string(large) {
		t.Errorf("read %d bytes, want the %d that were not too large", len(got.body), len(large))
	}
	wants(t, srv, "an id", request{id: "0123456789abcdef"}, "200")
}

func TestTokens(t *testing.T) {
	srv := durableobject.Start(t, durableobject.Options{Bindings: map[string]string{"OLD_TOKEN": oldToken}})
	for authorization, want := range map[string]string{
		"Bearer " + token:           "404 no_record",
		"bearer " + token:           "404 no_record",
		"Bearer " + oldToken:        "404 no_record", // while it is changed
		"Bearer":                    "401 wrong_token",
		"Bearer " + token[:35]:      "401 wrong_token",
		"Bearer " + token + "x":     "401 wrong_token",
		"Basic " + token:            "401 wrong_token",
		token:                       "401 wrong_token",
		"Bearer undefined":          "401 wrong_token",
		"Bearer " + token + " more": "401 wrong_token",
	} {
		wants(t, srv, authorization, request{authorization: authorization}, want)
		r := put("x")
		r.authorization, r.query = authorization, key("other")
		wants(t, srv, authorization, r, strings.Replace(want, "404 no_record", "204", 1))
		wants(t, srv, authorization+" elsewhere", request{authorization: authorization, path: "/v2/register"}, "404 unknown_path")
	}
}

// A Worker that is not as README.md says lets nobody in.
func TestNotConfigured(t *testing.T) {
	for name, bindings := range map[string]map[string]string{
		"no token":          {"TOKEN": ""},
		"only an old token": {"TOKEN": "", "OLD_TOKEN": oldToken},
		"a short token":     {"TOKEN": token[:31]},
		"a short old token": {"OLD_TOKEN": "short"},
		"no limit":          {"REQUESTS_PER_SECOND": ""},
		"no such limit":     {"REQUESTS_PER_SECOND": "many"},
	} {
		srv := durableobject.Start(t, durableobject.Options{Bindings: bindings})
		wants(t, srv, name, request{}, "500 not_configured")
		wants(t, srv, name, request{authorization: "Bearer short"}, "500 not_configured")
		wants(t, srv, name, request{authorization: "Bearer undefined"}, "500 not_configured")
	}
}

// Who reads a register like mad is held back, and nobody else.
func TestRateLimit(t *testing.T) {
	srv := durableobject.Start(t, durableobject.Options{Bindings: map[string]string{"REQUESTS_PER_SECOND": "1"}})
	for n := 0; ; n++ {
		a := ask(t, srv, request{})
		if a.status == http.StatusTooManyRequests {
			if a.code != "rate_limited" || a.header.Get("Retry-After") != "1" || n < 2 {
				t.Errorf("after %d reads: %v, Retry-After %q, want two admitted at once, and a second to wait", n, a, a.header.Get("Retry-After"))
			}
			break
		}
		if a.code != "no_record" || n > 1000 {
			t.Fatalf("after %d reads: %v, want a limit", n, a)
		}
	}
	wants(t, srv, "another register", request{query: key("other")}, "404 no_record")
	wants(t, srv, "a write of the register", put("x"), "204")
	daemon.Await(t, "the register is read again", func() bool { return ask(t, srv, request{}).status == http.StatusOK })
}

func TestRegistersAreBounded(t *testing.T) {
	srv := durableobject.Start(t, durableobject.Options{})
	for n := range 256 {
		r := put("x")
		r.query = key(fmt.Sprint(n))
		if a := ask(t, srv, r); a.status != http.StatusNoContent {
			t.Fatalf("register %d: %v %s", n, a, a.body)
		}
	}
	r := put("x")
	r.query = key("one more")
	wants(t, srv, "one more", r, "507 too_many_registers")
	r = put("y")
	r.query = key("0")
	wants(t, srv, "one that is there", r, "204")
	wants(t, srv, "another group", request{method: http.MethodPost, query: "group=h&key=k", body: strings.NewReader("x")}, "204")
}

func TestRecordsSurvive(t *testing.T) {
	srv := durableobject.Start(t, durableobject.Options{})
	for n := range 10 {
		value := fmt.Sprint("value ", n)
		wants(t, srv, "write", put(value), "204")
		if err := srv.Process().Kill(); err != nil {
			t.Fatal(err)
		}
		srv.Restart()
		if got := wants(t, srv, "read after the crash", request{}, "200"); got.body != value {
			t.Errorf("after the crash %q is there, want %q, which was acknowledged", got.body, value)
		}
	}
}

// An object that can't write is not the one that counts: it answers no read, neither of what it has in memory, nor of what is
// on its disk. In Cloudflare's network it is one that was replaced; here its disk is full.
func TestNoReadWithoutAWrite(t *testing.T) {
	storage := t.TempDir()
	if err := unix.Mount("tmpfs", storage, "tmpfs", 0, "size=1m"); err != nil {
		t.Fatalf("mount a small file system (this test has to run as root): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(storage, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	srv := durableobject.Start(t, durableobject.Options{Storage: storage})
	wants(t, srv, "write", put("one"), "204")
	wants(t, srv, "read", request{}, "200")

	fill := filepath.Join(storage, "fill")
	f, err := os.Create(fill)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatalf("fill the disk: %v", err)
	}
	f.Close()
	for range 20 {
		wants(t, srv, "read with a full disk", request{}, "503 unknown")
		wants(t, srv, "read of what is not there, with a full disk", request{query: key("other")}, "503 unknown")
		wants(t, srv, "write with a full disk", put("two"), "503 unknown")
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	if got := wants(t, srv, "read when there is room again", request{}, "200"); got.body != "one" {
		t.Errorf("there is %q, want %q: the other was never acknowledged, and its attempt is over", got.body, "one")
	}
	wants(t, srv, "write when there is room again", put("three"), "204")
}
