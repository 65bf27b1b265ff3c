package kvtest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/lease/witness/cloudflarekv/kvtest"
)

type client struct {
	t      *testing.T
	srv    *kvtest.Server
	header http.Header
}

func newClient(t *testing.T, opts kvtest.Options) *client {
	srv := kvtest.New(opts)
	t.Cleanup(srv.Close)
	return &client{t, srv, http.Header{"Authorization": {"Bearer " + kvtest.Token}}}
}

// send makes a request for a path below the namespaces and returns the status
// and the body, or 0 where there was no whole answer.
func (c *client) send(method, path, contentType string, body []byte) (int, string) {
	c.t.Helper()
	url := c.srv.URL + "/accounts/" + kvtest.AccountID + "/storage/kv/namespaces/" + path
	req, err := http.NewRequestWithContext(c.t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header = c.header.Clone()
	req.Header.Set("Content-Type", contentType)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, err.Error()
	}
	return res.StatusCode, string(got)
}

func TestShapes(t *testing.T) {
	c := newClient(t, kvtest.Options{})
	values := kvtest.NamespaceID + "/values/"
	if status, body := c.send(http.MethodPut, values+"a%2Fb", "text/plain", []byte("raw")); status != 200 ||
		body != `{"success":true,"errors":[],"messages":[],"result":{}}` {
		t.Errorf("PUT = %d %s", status, body)
	}
	if status, body := c.send(http.MethodGet, values+"a%2Fb", "", nil); status != 200 || body != "raw" {
		t.Errorf("GET = %d %s", status, body)
	}
	for _, test := range []struct {
		name, method, path string
		status, code       int
	}{
		{"key missing", http.MethodGet, values + "other", 404, 10009},
		{"slash in key", http.MethodGet, values + "a/b", 404, 7003},
		{"namespace unknown", http.MethodGet, "other/values/a", 404, 10013},
		{"key too long", http.MethodPut, values + strings.Repeat("k", 513), 414, 10030},
		{"expiry", http.MethodPut, values + "k?expiration_ttl=60", 400, 10001},
		{"method", http.MethodPost, values + "k", 405, 10000},
	} {
		wantFailure(t, test.name, test.status, test.code)(c.send(test.method, test.path, "", nil))
	}
	for _, test := range []struct {
		authorization string
		status, code  int
	}{
		{"", 400, 9106}, {"Basic x", 400, 6003}, {"Bearer a b", 400, 6003}, {"Bearer stranger", 403, 9109},
	} {
		c.header = http.Header{"Authorization": {test.authorization}}
		wantFailure(t, test.authorization, test.status, test.code)(c.send(http.MethodGet, values+"k", "", nil))
	}
}

func wantFailure(t *testing.T, name string, wantStatus, wantCode int) func(int, string) {
	return func(status int, body string) {
		t.Helper()
		var e struct {
			Success bool
			Errors  []struct {
				Code    int
				Message string
			}
		}
		err := json.Unmarshal([]byte(body), &e)
		if err != nil || status != wantStatus || e.Success || len(e.Errors) != 1 || e.Errors[0].Code != wantCode || e.Errors[0].Message == "" {
			t.Errorf("%s: %d %s (%v), want %d and code %d", name, status, body, err, wantStatus, wantCode)
		}
	}
}

// The form that the SDK makes of a value when it is left to.
func TestPutOfAForm(t *testing.T) {
	c := newClient(t, kvtest.Options{})
	var buf bytes.Buffer
	form := multipart.NewWriter(&buf)
	for name, value := range map[string]string{"metadata": "{}", "value": "from a form"} {
		if err := form.WriteField(name, value); err != nil {
			t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		t.Fatal(err)
	}
	if status, body := c.send(http.MethodPut, kvtest.NamespaceID+"/values/k", form.FormDataContentType(), buf.Bytes()); status != 200 {
		t.Errorf("PUT = %d %s", status, body)
	}
	if value, _ := c.srv.Value("k"); string(value) != "from a form" {
		t.Errorf("the store holds %q", value)
	}
}

// The same seed gives one client the same faults, and another seed others.
func TestFaultsAreSeeded(t *testing.T) {
	run := func(seed uint64) string {
		c := newClient(t, kvtest.Options{Seed: seed, Faults: kvtest.Faults{
			RateLimited: 0.2, ServerError: 0.2, SuccessFalse: 0.1, LoseAnswer: 0.2, Cut: 0.1, ApplyFailed: 0.5,
		}})
		var out strings.Builder
		for i := range 40 {
			status, _ := c.send(http.MethodPut, kvtest.NamespaceID+"/values/k", "text/plain", fmt.Append(nil, i))
			value, _ := c.srv.Value("k")
			fmt.Fprintf(&out, "%d:%s ", status, value)
		}
		return out.String()
	}
	one, again, two := run(1), run(1), run(2)
	if one != again {
		t.Errorf("seed 1 gave\n%s\nand then\n%s", one, again)
	}
	if one == two {
		t.Errorf("seeds 1 and 2 gave the same: %s", one)
	}
}

// Close lets hung clients go, and comes back.
func TestCloseEndsHungRequests(t *testing.T) {
	srv := kvtest.New(kvtest.Options{Faults: kvtest.Faults{Hang: 1}})
	c := &client{t, srv, http.Header{"Authorization": {"Bearer " + kvtest.Token}}}
	ended := make(chan int)
	go func() {
		status, _ := c.send(http.MethodGet, kvtest.NamespaceID+"/values/k", "", nil)
		ended <- status
	}()
	for srv.Counts(kvtest.Token).Gets == 0 {
		select {
		case status := <-ended:
			t.Fatalf("the request was answered with %d", status)
		default:
		}
	}
	srv.Close()
	if status := <-ended; status != 0 {
		t.Errorf("status %d, want no answer", status)
	}
}
