package kvserver

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Link is one client's way to the store. Cutting it touches no other client. Its methods may be called at any time, in
// any order, from any goroutine.
type Link struct {
	BaseURL string // of the REST API, through this link

	backend *shim
	server  *http.Server
	served  chan struct{} // closed when the server no longer accepts

	mu     sync.Mutex
	hang   chan struct{} // not nil while the link hangs; closed when it no longer does
	refuse bool
	conns  map[*conn]struct{}
	closed bool
	active int           // requests in the handler
	idle   chan struct{} // closed when the link is closed and active is 0

	watcher Watcher
	stale   time.Duration      // 0: reads are as the store has them
	own     string             // the name at the end of keys whose reads are never stale; empty: none
	answers map[string]*answer // to reads, by URL, while it is stale
}

var errCut = errors.New("the link is cut")

func newLink(listener net.Listener, backend *shim) *Link {
	l := &Link{
		BaseURL: "http://" + listener.Addr().String() + apiPrefix,
		backend: backend,
		served:  make(chan struct{}),
		conns:   make(map[*conn]struct{}),
		idle:    make(chan struct{}),
	}
	l.server = &http.Server{Handler: l}
	go func() {
		defer close(l.served)
		_ = l.server.Serve(&linkListener{listener, l}) // always ErrServerClosed, see close
	}()
	return l
}

// Hang cuts the link as a network does that drops packets: connections are made, requests are taken, nothing is
// answered. A request that had reached the store is carried out, and its answer is lost if the client gives up before
// the link heals. A request of which the client gave up never reaches the store; one that it still waits for is carried
// out when the link heals, however late that is.
func (l *Link) Hang() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = false
	if l.hang == nil {
		l.hang = make(chan struct{})
	}
}

// Refuse cuts the link as a dead host does whose network lives: every connection, old or new, is reset at once.
func (l *Link) Refuse() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = true
	for c := range l.conns {
		c.reset()
	}
	l.unhang()
}

// Heal undoes Hang and Refuse.
func (l *Link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.refuse = false
	l.unhang()
}

func (l *Link) unhang() {
	if l.hang != nil {
		close(l.hang)
		l.hang = nil
	}
}

// wait returns nil when the link is whole, or an error when the client has gone or the link refuses.
func (l *Link) wait(ctx context.Context) error {
	for {
		l.mu.Lock()
		hang, refuse := l.hang, l.refuse
		l.mu.Unlock()
		switch {
		case refuse: // the context of a connection that was just reset may not know it yet
			return errCut
		case hang == nil:
			return ctx.Err()
		}
		select {
		case <-hang:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ServeHTTP passes a request on to the store while the link is whole.
func (l *Link) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !l.enter() {
		panic(http.ErrAbortHandler)
	}
	defer l.leave()
	// The whole body first: before that the server cannot notice that the client has gone.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		writeError(w, http.StatusRequestEntityTooLarge, apiError{Message: "kvserver: read the request: " + err.Error()})
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	answered := l.watch(r, body)
	if l.wait(r.Context()) != nil {
		panic(http.ErrAbortHandler)
	}
	serve := func(w http.ResponseWriter) {
		l.backend.serve(w, r, func(resp *http.Response) error {
			answered(resp.StatusCode)
			return l.wait(resp.Request.Context())
		})
	}
	if r.Method != http.MethodGet {
		serve(w)
		return
	}
	l.read(w, r, serve)
}

func (l *Link) enter() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.active++
	return true
}

func (l *Link) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.active--
	if l.closed && l.active == 0 {
		close(l.idle)
	}
}

// close ends the link, and returns when no request is left in it that could still reach the store or the test's log.
func (l *Link) close() {
	l.mu.Lock()
	l.closed = true
	if l.active == 0 {
		close(l.idle)
	}
	l.mu.Unlock()
	_ = l.server.Close() // an error would be of a connection that is gone already
	<-l.served
	<-l.idle
}

// linkListener keeps count of the link's connections, so that Refuse can reset them.
type linkListener struct {
	net.Listener
	link *Link
}

func (ll *linkListener) Accept() (net.Conn, error) {
	for {
		accepted, err := ll.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{TCPConn: accepted.(*net.TCPConn), link: ll.link}
		if c.admit() {
			return c, nil
		}
	}
}

type conn struct {
	*net.TCPConn
	link *Link
}

func (c *conn) admit() bool {
	c.link.mu.Lock()
	defer c.link.mu.Unlock()
	if c.link.refuse {
		c.reset()
		return false
	}
	c.link.conns[c] = struct{}{}
	return true
}

// reset closes with RST instead of FIN, as a host does that knows nothing of the connection.
func (c *conn) reset() {
	_ = c.SetLinger(0)
	_ = c.TCPConn.Close()
}

func (c *conn) Close() error {
	c.link.mu.Lock()
	delete(c.link.conns, c)
	c.link.mu.Unlock()
	return c.TCPConn.Close()
}
