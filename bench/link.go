package bench

import (
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// A Link is the only way from one client to one server, by TCP: a network that can be cut, as one that drops all packets, and
// slow. What was sent while it was cut arrives late, as with TCP.
type Link struct {
	Address string // host:port, where the client finds the server

	to string

	mu     sync.Mutex
	whole  chan struct{} // closed while it is not cut
	slow   time.Duration
	open   map[net.Conn]bool
	closed bool
}

// NewLink makes a link to a server, host:port. It ends with the test.
func NewLink(tb testing.TB, to string) *Link {
	tb.Helper()
	return NewLinkAt(tb, "127.0.0.1:0", to)
}

// NewLinkAt makes a link that has a certain address.
func NewLinkAt(tb testing.TB, at, to string) *Link {
	tb.Helper()
	listener, err := net.Listen("tcp", at)
	if err != nil {
		tb.Fatalf("bench: a link to %s: %v", to, err)
	}
	l := &Link{Address: listener.Addr().String(), to: to, whole: make(chan struct{}), open: map[net.Conn]bool{}}
	close(l.whole)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // it is closed
			}
			running.Go(func() { l.serve(conn) })
		}
	})
	tb.Cleanup(func() {
		listener.Close()
		l.close()
		running.Wait()
	})
	return l
}

// Cut has nothing pass in either direction.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.whole:
		l.whole = make(chan struct{})
	default:
	}
}

// Slow has what the server says arrive later by d.
func (l *Link) Slow(d time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slow = d
}

// Heal undoes Cut and Slow.
func (l *Link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.slow = 0
	l.mend()
}

func (l *Link) mend() {
	select {
	case <-l.whole:
	default:
		close(l.whole)
	}
}

// close ends all connections, and has those that begin end at once.
func (l *Link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.mend()
	for conn := range l.open {
		conn.Close()
	}
}

// keep has a connection end with the link.
func (l *Link) keep(conn net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open[conn] = true
	if l.closed {
		conn.Close()
	}
}

func (l *Link) drop(conn net.Conn) {
	conn.Close()
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.open, conn)
}

// state is the gate that is closed once the link is whole, and by how much answers are late.
func (l *Link) state() (whole <-chan struct{}, slow time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.whole, l.slow
}

// serve passes on what a client and the server say to one another.
func (l *Link) serve(client net.Conn) {
	l.keep(client)
	defer l.drop(client)
	whole, _ := l.state()
	<-whole // the server of a network that is cut takes no connection
	server, err := net.DialTimeout("tcp", l.to, 5*time.Second)
	if err != nil {
		return
	}
	l.keep(server)
	defer l.drop(server)
	var both sync.WaitGroup
	both.Go(func() { l.pass(server, client, false) })
	both.Go(func() { l.pass(client, server, true) })
	both.Wait()
}

// pass copies one direction until it ends; answers are slow.
func (l *Link) pass(to, from net.Conn, answers bool) {
	type piece struct {
		bytes []byte
		due   time.Time
	}
	pieces := make(chan piece, 1024)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for p := range pieces {
			<-time.After(time.Until(p.due))
			whole, _ := l.state()
			<-whole
			if _, err := to.Write(p.bytes); err != nil {
				from.Close() // nobody takes the rest
			}
		}
	}()
	for {
		b := make([]byte, 16<<10)
		n, err := from.Read(b)
		if n > 0 {
			due := time.Now()
			if _, slow := l.state(); answers {
				due = due.Add(slow)
			}
			pieces <- piece{b[:n], due}
		}
		if err != nil {
			close(pieces)
			<-done
			if tcp, ok := to.(*net.TCPConn); ok && errors.Is(err, io.EOF) {
				tcp.CloseWrite()
			} else {
				to.Close()
			}
			return
		}
	}
}
