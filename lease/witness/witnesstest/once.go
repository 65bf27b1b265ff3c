package witnesstest

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"

	"github.com/openova-io/failoverd/lease/witness"
)

// RunSentOnce checks that a store that speaks HTTP sends each write at most
// once, whatever becomes of it: with servers that read one and break it off in
// the ways after which net/http sends again what it thinks it may. open opens
// the store at the address of such a server; client is for https, and trusts it.
func RunSentOnce(t *testing.T, open func(t *testing.T, url string, client *http.Client) witness.Store) {
	for _, value := range []string{"x", ""} { // what has no body can be sent again
		t.Run(fmt.Sprintf("the connection ends after %q", value), func(t *testing.T) {
			var writes atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet {
					writes.Add(1)
					io.Copy(io.Discard, r.Body)
					panic(http.ErrAbortHandler)
				}
			}))
			defer srv.Close()
			s := open(t, srv.URL, srv.Client())
			for n := range int32(20) {
				s.Get(t.Context(), "k") // now there is a connection that was used before, which the server may have closed for being idle
				putOnce(t, s, value, &writes, n)
			}
		})
		for _, code := range []http2.ErrCode{http2.ErrCodeProtocol, http2.ErrCodeRefusedStream, http2.ErrCodeCancel} {
			t.Run(fmt.Sprintf("the stream ends after %q with %v", value, code), func(t *testing.T) {
				var writes atomic.Int32
				url, client := resetting(t, code, &writes)
				putOnce(t, open(t, url, client), value, &writes, 0)
			})
		}
	}
}

// putOnce makes a write, which has to fail, and to reach the server once.
func putOnce(t *testing.T, s witness.Store, value string, writes *atomic.Int32, before int32) {
	t.Helper()
	err := s.Put(t.Context(), "k", []byte(value))
	if witness.ClassOf(err) != witness.Unreachable {
		t.Errorf("Put = %v, want class %s", err, witness.Unreachable)
	}
	if got := writes.Load(); got != before+1 {
		t.Fatalf("a write of %q was read %d times, want 1", value, got-before)
	}
}

// resetting serves HTTP/2, counts requests that have come whole, and resets each with code.
func resetting(t *testing.T, code http2.ErrCode, requests *atomic.Int32) (url string, client *http.Client) {
	t.Helper()
	// Only its certificate, and a client that trusts it.
	srv := httptest.NewUnstartedServer(nil)
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: srv.TLS.Certificates, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				reset(conn, code, requests)
			}()
		}
	}()
	return "https://" + l.Addr().String(), srv.Client()
}

// endless is when a server stops to answer one who sends again and again.
const endless = 10

func reset(conn net.Conn, code http2.ErrCode, requests *atomic.Int32) {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	f := http2.NewFramer(conn, conn)
	if f.WriteSettings() != nil {
		return
	}
	for requests.Load() < endless {
		frame, err := f.ReadFrame()
		if err != nil {
			return
		}
		ended := false
		switch frame := frame.(type) {
		case *http2.HeadersFrame:
			ended = frame.StreamEnded()
		case *http2.DataFrame:
			ended = frame.StreamEnded()
		}
		if ended {
			requests.Add(1)
			if f.WriteRSTStream(frame.Header().StreamID, code) != nil {
				return
			}
		}
	}
}
