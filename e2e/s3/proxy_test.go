package s3_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	store "github.com/openova-io/failoverd/lease/witness/s3"
)

// A proxy stands before a real store, and makes it one that is not what it says. It signs anew what it passes on: what it changes
// is signed.
type proxy struct {
	to       store.Config
	drops    string        // a header of requests
	staleFor time.Duration // an answer to a read is given again for so long

	mu    sync.Mutex
	reads map[string]kept
}

type kept struct {
	status int
	header http.Header
	body   []byte
	until  time.Time
}

// start serves the proxy until the test ends, and returns its address.
func (p *proxy) start(t *testing.T) string {
	p.reads = map[string]kept{}
	srv := httptest.NewServer(p)
	t.Cleanup(srv.Close)
	return srv.URL
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	old, again := p.reads[r.URL.Path]
	p.mu.Unlock()
	if r.Method != http.MethodGet || !again || time.Now().After(old.until) {
		var err error
		if old, err = p.pass(r); err != nil {
			panic(http.ErrAbortHandler)
		}
		if r.Method == http.MethodGet && p.staleFor > 0 {
			old.until = time.Now().Add(p.staleFor)
			p.mu.Lock()
			p.reads[r.URL.Path] = old
			p.mu.Unlock()
		}
	}
	for name, values := range old.header {
		w.Header()[name] = values
	}
	w.WriteHeader(old.status)
	w.Write(old.body)
}

// pass sends a request on.
func (p *proxy) pass(r *http.Request) (answer kept, err error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return kept{}, err
	}
	req, err := http.NewRequestWithContext(r.Context(), r.Method, p.to.Endpoint+r.URL.EscapedPath(), bytes.NewReader(body))
	if err != nil {
		return kept{}, err
	}
	for _, name := range []string{"Content-Type", "If-Match", "If-None-Match"} {
		if values := r.Header.Values(name); len(values) > 0 && name != p.drops {
			req.Header[name] = values
		}
	}
	sum := sha256.Sum256(body)
	payload := hex.EncodeToString(sum[:])
	req.Header.Set("X-Amz-Content-Sha256", payload)
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	credentials := aws.Credentials{AccessKeyID: p.to.AccessKeyID, SecretAccessKey: p.to.SecretAccessKey}
	if err := signer.SignHTTP(r.Context(), credentials, req, payload, "s3", p.to.Region, time.Now()); err != nil {
		return kept{}, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return kept{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return kept{status: res.StatusCode, header: res.Header, body: data}, err
}
