package responder

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openova-io/failoverd/quorum"
)

// TestManySources: any number of forged sources takes no more memory than maxSources, and no more from those who are
// within their rate.
func TestManySources(t *testing.T) {
	l := newLimiter(50)
	now := noon
	honest := netip.MustParseAddr("192.0.2.1")
	const sources = 200_000
	for i := range sources {
		var b [16]byte
		b[0] = 0x20
		binary.BigEndian.PutUint32(b[1:], uint32(i)) // of a /56 each
		now = now.Add(10 * time.Microsecond)         // 100,000 a second
		l.allow(netip.AddrFrom16(b), now)
		if len(l.sources) > maxSources {
			t.Fatalf("%d sources are remembered, want at most %d", len(l.sources), maxSources)
		}
		if i%10_000 == 0 && !l.allow(honest, now) { // 10 a second
			t.Fatalf("after %d forged sources, one within its rate is limited", i)
		}
	}
}

// TestManyQuestions: a member that floods, or whose key was stolen, takes no more memory than maxPending questions.
func TestManyQuestions(t *testing.T) {
	r, _ := newServer(t)
	now := noon
	r.cfg.Now = func() time.Time { return now }
	most, refused := 0, 0
	for i := range 20_000 { // 100 a second
		q := quorum.Question{Asker: "fsn", Sent: now}
		binary.BigEndian.PutUint64(q.Nonce[:], uint64(i))
		if _, _, kind := r.admit(q); kind == Flood {
			refused++
		}
		most = max(most, len(r.answers))
		now = now.Add(10 * time.Millisecond)
	}
	if most > 2*maxPending || refused == 0 {
		t.Errorf("up to %d answers were kept, want at most %d; %d questions were refused", most, 2*maxPending, refused)
	}
}

// TestHoards: the connections of one who has many make room for another's, and the oldest of them first.
func TestHoards(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer inner.Close()
	l := &streamListener{Listener: inner, most: 4}
	open := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		client, err := d.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { client.Close() })
		server, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return server
	}
	closed := func(c net.Conn) bool { return errors.Is(c.SetDeadline(time.Time{}), net.ErrClosed) }
	honest := open("127.0.0.1")
	var hoard []net.Conn
	for range 10 {
		hoard = append(hoard, open("127.0.0.2"))
	}
	other := open("127.0.0.3")
	if closed(honest) || closed(other) {
		t.Error("one who has few connections lost one")
	}
	for i, c := range hoard {
		if want := i < 8; closed(c) != want {
			t.Errorf("connection %d of the hoarder is closed: %v, want %v", i, !want, want)
		}
	}
	other.Close()
	if open("127.0.0.3"); closed(hoard[8]) || len(l.open) != 4 {
		t.Errorf("%d connections are open, want 4: there was room", len(l.open))
	}
}

// TestDeafClient: a peer that takes no reply does not hold up the one who writes.
func TestDeafClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, client := net.Pipe()
		defer client.Close()
		s := &stream{Conn: server, listener: new(streamListener)}
		defer s.Close()
		begun := time.Now()
		if _, err := s.Write([]byte("reply")); !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(begun) != streamTimeout {
			t.Errorf("got %v after %v, want a time-out after %v", err, time.Since(begun), streamTimeout)
		}
	})
}
