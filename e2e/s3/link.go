package s3

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/openova-io/failoverd/e2e/kvserver"
	store "github.com/openova-io/failoverd/lease/witness/s3"
)

// A Link is one client's way to the store, by which its requests are seen.
type Link struct {
	Config store.Config // of the client

	proxy   *httputil.ReverseProxy
	mu      sync.Mutex
	watcher kvserver.Watcher
}

// Link makes a way to the store. It ends with the test.
func (s *Server) Link(tb testing.TB) *Link {
	tb.Helper()
	to, err := url.Parse(s.Config.Endpoint)
	if err != nil {
		tb.Fatalf("s3: %v", err)
	}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}
	l := &Link{Config: s.Config, proxy: &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host // it is signed
		},
		// The client sees a broken connection: nothing that the link could say would be the store's words.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}}
	srv := httptest.NewServer(l)
	tb.Cleanup(func() {
		srv.Close()
		transport.CloseIdleConnections()
	})
	l.Config.Endpoint = srv.URL
	return l
}

// Watch has a watcher be told of the requests to come, as [kvserver.Link.Watch] does.
func (l *Link) Watch(w kvserver.Watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watcher = w
}

// ServeHTTP passes a request on.
func (l *Link) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	value, err := io.ReadAll(r.Body)
	if err != nil {
		return // it was cut before it had come
	}
	r.Body = io.NopCloser(bytes.NewReader(value))
	l.mu.Lock()
	watcher := l.watcher
	l.mu.Unlock()
	watched := *l.proxy
	if watcher != nil {
		// Groups and regions of tests have names of which nothing is escaped.
		key := strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/"+l.Config.Bucket+"/"), ".json")
		if answered := watcher(kvserver.Request{Method: r.Method, Key: key, Value: value}); answered != nil {
			watched.ModifyResponse = func(res *http.Response) error {
				answered(res.StatusCode)
				return nil
			}
		}
	}
	watched.ServeHTTP(w, r)
}
