// Package kvserver runs Cloudflare's own Workers KV code for tests, and speaks to it as the public REST API does.
//
// What is real: the storage (workerd's and miniflare's KV code, started by `wrangler dev`), the handling of keys and
// values, and the REST routes of wrangler's local explorer, which wrangler serves for its own user interface.
// What is not: that explorer asks for no token, and knows neither accounts nor unknown namespaces. A small shim on
// loopback adds those, so that an adapter that was written for api.cloudflare.com needs no special case; shim.go lists
// every difference that it hides.
//
// Two differences stay, and a test must not rest on them. Local KV is strongly consistent: it will never show the stale
// reads and cached misses that the protocol is about. And it ignores expiration and expiration_ttl on a write.
//
// Nothing here leaves loopback: metrics, error reports, update checks and the fetch of request properties are off. The
// programs come from e2e/setup.sh.
package kvserver

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

const (
	accountID   = "0123456789abcdef0123456789abcdef"
	namespaceID = "fedcba9876543210fedcba9876543210"
	// 40 characters, as real tokens have: the API tells a malformed token from an unknown one.
	token = "failoverd-e2e-token-0123456789-abcdefghi"

	bucket          = "witness"
	accessKeyID     = "0123456789abcdef0123456789abcdef"
	secretAccessKey = "e2e0123456789abcdef0123456789abcdef0123456789abcdef0123456789abc"

	// startTimeout is far above the 1.5 s that a start takes on an idle machine, since several may start at once on
	// two busy cores.
	startTimeout = 90 * time.Second
)

// Server is one running KV store with one namespace. All its methods may be used concurrently.
type Server struct {
	BaseURL     string // of the REST API, as for cloudflare-go's WithBaseURL; this link is never cut
	AccountID   string // the only account that the token may use
	NamespaceID string // the only namespace of the account
	Token       string // the only token that is accepted

	// The same wrangler has a bucket of R2, by its own endpoint with the API of S3: no link leads to it.
	S3Endpoint, S3Bucket, S3AccessKeyID, S3SecretAccessKey string

	tb      testing.TB
	process *process
	backend *shim

	mu    sync.Mutex
	links map[string]*Link
}

// Start starts a server and returns when it answers. It is stopped, with all its processes, when the test ends; its
// output is logged only if the test failed. A missing installation fails the test with the command that installs it.
func Start(tb testing.TB) *Server {
	tb.Helper()
	root, err := FindInstallation()
	if err != nil {
		tb.Fatalf("kvserver: %v", err)
	}
	dir := tb.TempDir()
	if err := writeProject(dir); err != nil {
		tb.Fatalf("kvserver: %v", err)
	}
	p, err := startProcess(root, dir)
	if err != nil {
		tb.Fatalf("kvserver: start wrangler: %v", err)
	}
	tb.Cleanup(func() {
		if err := p.stop(); err != nil {
			tb.Errorf("kvserver: stop wrangler: %v", err)
		}
		if tb.Failed() {
			tb.Logf("kvserver: output of wrangler:\n%s", p.output())
		}
	})

	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	address, err := p.waitReady(ctx)
	if err != nil {
		tb.Fatalf("kvserver: wrangler is not ready: %v", err)
	}
	backend := newShim(address, tb)
	tb.Cleanup(backend.close)
	if err := backend.check(ctx); err != nil {
		tb.Fatalf("kvserver: %v", err)
	}

	s := &Server{
		AccountID:   accountID,
		NamespaceID: namespaceID,
		Token:       token,
		tb:          tb,
		S3Endpoint:  "http://" + address + "/cdn-cgi/local/r2/s3", S3Bucket: bucket, S3AccessKeyID: accessKeyID, S3SecretAccessKey: secretAccessKey,
		process: p,
		backend: backend,
		links:   make(map[string]*Link),
	}
	s.BaseURL = s.Link("").BaseURL
	return s
}

// Client returns the base URL that is meant for one client (a region), and a function that cuts that client, and no
// other, off from the store: cut(true) as [Link.Hang], cut(false) as [Link.Heal]. The same name gives the same link.
func (s *Server) Client(name string) (baseURL string, cut func(bool)) {
	s.tb.Helper()
	link := s.Link(name)
	return link.BaseURL, func(on bool) {
		if on {
			link.Hang()
		} else {
			link.Heal()
		}
	}
}

// Link returns the named client's own way to the store, with its own port, and opens it at the first call.
func (s *Server) Link(name string) *Link {
	s.tb.Helper()
	return s.LinkAt(name, "127.0.0.1")
}

// LinkAt is as Link, and opens it at an address: for a client in another network namespace.
func (s *Server) LinkAt(name, address string) *Link {
	s.tb.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if link := s.links[name]; link != nil {
		return link
	}
	listener, err := net.Listen("tcp", net.JoinHostPort(address, "0"))
	if err != nil {
		s.tb.Fatalf("kvserver: listen for %q: %v", name, err)
	}
	link := newLink(listener, s.backend)
	s.tb.Cleanup(link.close)
	s.links[name] = link
	return link
}

// writeProject lays out the smallest Worker project that has a KV namespace. The Worker itself is never called. It has
// a folder of its own since wrangler watches the folder of the main module, and takes files in it for modules.
func writeProject(dir string) error {
	for _, sub := range []string{"project/src", "home", "tmp", "state", "log"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return err
		}
	}
	worker := "export default { fetch() { return new Response(\"failoverd e2e\\n\") } }\n"
	if err := os.WriteFile(filepath.Join(dir, "project/src/worker.mjs"), []byte(worker), 0o600); err != nil {
		return err
	}
	config := fmt.Sprintf(`{
  "name": "failoverd-e2e",
  "main": "src/worker.mjs",
  "compatibility_date": "2026-10-01",
  "send_metrics": false,
  "kv_namespaces": [{"binding": "KV", "id": %q}],
  "r2_buckets": [{"binding": "R2", "bucket_name": %q, "local_dev": {"experimental_s3_credentials": {"accessKeyId": %q, "secretAccessKey": %q}}}]
}
`, namespaceID, bucket, accessKeyID, secretAccessKey)
	return os.WriteFile(filepath.Join(dir, "project/wrangler.json"), []byte(config), 0o600)
}

// check asks for the list of namespaces: the first request that shows that the explorer's routes are where this
// version of the shim looks for them.
func (s *shim) check(ctx context.Context) error {
	u := url.URL{Scheme: "http", Host: s.host, Path: explorerAPI + "/storage/kv/namespaces/" + namespaceID + "/keys"}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	resp, err := s.transport.RoundTrip(req)
	if err != nil {
		return fmt.Errorf("ask wrangler's explorer: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/json" {
		return fmt.Errorf("GET %s: %s, content type %q; does this wrangler serve its explorer elsewhere?",
			u.String(), resp.Status, resp.Header.Get("Content-Type"))
	}
	return nil
}
