package durableobject

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/openova-io/failoverd/e2e/kvserver"
)

// A Link is one client's way to the Worker, by which its requests are seen.
type Link struct {
	URL string

	mu      sync.Mutex
	watcher kvserver.Watcher
}

// Link makes a way to the Worker. It ends with the test.
func (s *Server) Link(tb testing.TB) *Link {
	tb.Helper()
	worker, err := url.Parse(s.URL)
	if err != nil {
		tb.Fatalf("durableobject: %v", err)
	}
	transport := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 16}
	l := &Link{}
	proxy := &httputil.ReverseProxy{
		Transport: transport,
		Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(worker) },
		// The client sees a broken connection: nothing that the link could say would be the Worker's words.
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { l.serve(w, r, proxy) }))
	tb.Cleanup(func() {
		srv.Close()
		transport.CloseIdleConnections()
	})
	l.URL = srv.URL
	return l
}

// Watch has a watcher be told of the requests to come, as [kvserver.Link.Watch] does, in the words of KV's API: a write is a
// PUT, and one that was acknowledged has the status 200.
func (l *Link) Watch(w kvserver.Watcher) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.watcher = w
}

func (l *Link) serve(w http.ResponseWriter, r *http.Request, proxy *httputil.ReverseProxy) {
	value, err := io.ReadAll(r.Body)
	if err != nil {
		return // it was cut before it had come
	}
	r.Body = io.NopCloser(bytes.NewReader(value))
	l.mu.Lock()
	watcher := l.watcher
	l.mu.Unlock()
	if watcher == nil {
		proxy.ServeHTTP(w, r)
		return
	}
	seen := kvserver.Request{Method: r.Method, Key: r.URL.Query().Get("key")}
	if r.Method == http.MethodPost {
		seen.Method, seen.Value = http.MethodPut, value
	}
	answered := watcher(seen)
	watched := *proxy
	watched.ModifyResponse = func(res *http.Response) error {
		status := res.StatusCode
		if status == http.StatusNoContent {
			status = http.StatusOK
		}
		if answered != nil {
			answered(status)
		}
		return nil
	}
	watched.ServeHTTP(w, r)
}
