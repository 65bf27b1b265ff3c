package responder

import (
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	// maxStreams is how many TCP connections are open at once.
	maxStreams = 256
	// streamTimeout is how long a client may take to send its first query, and for each reply to
	// be taken from it.
	streamTimeout = 2 * time.Second
	// streamIdle is how long a client may take to send another query (RFC 7766 §6.2.3).
	streamIdle = 10 * time.Second
)

// A streamListener accepts TCP connections. When there are too many, the oldest one is closed of
// the source that has most: a resolver needs its own only for a moment, and whoever hoards them
// loses them.
type streamListener struct {
	net.Listener
	most int

	mu   sync.Mutex
	open []*stream // the oldest first
}

func (l *streamListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	s := &stream{Conn: conn, listener: l, source: network(source(conn.RemoteAddr()))}
	l.mu.Lock()
	var victim *stream
	if len(l.open) >= l.most {
		victim = l.hoarded()
	}
	l.open = append(l.open, s)
	l.mu.Unlock()
	if victim != nil {
		victim.Close()
	}
	return s, nil
}

// hoarded is the oldest connection of the source that has most.
func (l *streamListener) hoarded() *stream {
	count := map[netip.Prefix]int{}
	for _, s := range l.open {
		count[s.source]++
	}
	victim := l.open[0]
	for _, s := range l.open {
		if count[s.source] > count[victim.source] {
			victim = s
		}
	}
	return victim
}

// A stream is a TCP connection whose peer can't make it wait for ever.
type stream struct {
	net.Conn
	listener *streamListener
	source   netip.Prefix
}

// Write has a deadline of its own: a peer that takes no replies would hold up the one who writes,
// and the end of the server.
func (s *stream) Write(b []byte) (int, error) {
	if err := s.Conn.SetWriteDeadline(time.Now().Add(streamTimeout)); err != nil {
		return 0, err
	}
	return s.Conn.Write(b)
}

func (s *stream) Close() error {
	s.listener.mu.Lock()
	s.listener.open = slices.DeleteFunc(s.listener.open, func(o *stream) bool { return o == s })
	s.listener.mu.Unlock()
	return s.Conn.Close()
}
