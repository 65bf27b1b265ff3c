package relay

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/netns"
)

// TestMain runs the tests in the router's network.
func TestMain(m *testing.M) { os.Exit(netns.Main(m)) }

var here, there = netip.MustParseAddr("10.91.0.1"), netip.MustParseAddr("10.91.0.2")

// network is two hosts at a router, whose packets go through a relay.
func network(t *testing.T) *Relay {
	t.Helper()
	for name, address := range map[string]netip.Addr{"here": here, "there": there} {
		host, err := netns.Join(name, address, netip.MustParseAddr("10.91.0.254"))
		must(t, err)
		t.Cleanup(func() { must(t, host.Leave()) })
	}
	r, err := New("relay", 91, 1)
	must(t, err)
	t.Cleanup(func() { must(t, r.Close()) })
	must(t, r.Through("to-here", "to-there"))
	return r
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// echo answers each datagram of one host at the other, until the test ends.
func echo(t *testing.T) {
	t.Helper()
	must(t, netns.Inside("there", func() error {
		conn, err := net.ListenPacket("udp4", there.String()+":7")
		if err != nil {
			return err
		}
		t.Cleanup(func() { conn.Close() })
		go func() {
			buffer := make([]byte, 64)
			for {
				n, from, err := conn.ReadFrom(buffer)
				if err != nil {
					return
				}
				conn.WriteTo(buffer[:n], from)
			}
		}()
		return nil
	}))
}

// send sends numbered datagrams, and returns the numbers that come back, until all have, or nothing comes for longer than
// the machine could be busy.
func send(t *testing.T, count int) (numbers []uint32) {
	t.Helper()
	var conn net.Conn
	must(t, netns.Inside("here", func() (err error) {
		conn, err = net.Dial("udp4", there.String()+":7")
		return err
	}))
	defer conn.Close()
	for i := range count {
		_, err := conn.Write(binary.BigEndian.AppendUint32(nil, uint32(i)))
		must(t, err)
	}
	buffer := make([]byte, 64)
	for different := 0; different < count; different, _, _ = survey(numbers) {
		conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		n, err := conn.Read(buffer)
		if err != nil {
			return numbers
		}
		if n != 4 {
			t.Fatalf("%d bytes have come, want 4", n)
		}
		numbers = append(numbers, binary.BigEndian.Uint32(buffer))
	}
	return numbers
}

// survey counts what came of datagrams.
func survey(numbers []uint32) (different, twice, overtaken int) {
	seen := map[uint32]int{}
	latest := uint32(0)
	for _, n := range numbers {
		if seen[n]++; seen[n] == 2 {
			twice++
		}
		if n < latest {
			overtaken++
		}
		latest = max(latest, n)
	}
	return len(seen), twice, overtaken
}

// TestPaths sends datagrams by paths of every kind.
func TestPaths(t *testing.T) {
	r := network(t)
	echo(t)
	const count = 200
	tests := []struct {
		name  string
		paths map[ends]Path
		want  func(different, twice, overtaken int) bool
	}{
		{"good", nil, func(d, tw, o int) bool { return d == count && tw == 0 }},
		{"late", map[ends]Path{{}: {Delay: 20 * time.Millisecond}}, func(d, tw, o int) bool { return d == count && tw == 0 }},
		{"out of order", map[ends]Path{{}: {Jitter: 30 * time.Millisecond}}, func(d, tw, o int) bool { return d == count && tw == 0 && o > count/4 }},
		{"twice", map[ends]Path{{from: here}: {Duplicate: 0.5}}, func(d, tw, o int) bool { return d == count && tw > count/4 && tw < count*3/4 }},
		{"lossy", map[ends]Path{{to: here}: {Loss: 0.5}}, func(d, tw, o int) bool { return tw == 0 && d > count/4 && d < count*3/4 }},
		{"cut one way", map[ends]Path{{there, here}: {Loss: 1}}, func(d, tw, o int) bool { return d == 0 }},
		{"cut for all but this path", map[ends]Path{{}: {Loss: 1}, {here, there}: {}, {to: here}: {}}, func(d, tw, o int) bool { return d == count }},
	}
	for _, tt := range tests {
		r.Reset()
		for e, p := range tt.paths {
			r.Set(e.from, e.to, p)
		}
		different, twice, overtaken := survey(send(t, count))
		if !tt.want(different, twice, overtaken) {
			t.Errorf("%s: of %d datagrams %d have come back, %d of them twice, and %d late", tt.name, count, different, twice, overtaken)
		}
	}
	if c := r.Counts(); c.Packets == 0 || c.Lost == 0 || c.Duplicated == 0 || c.Overtaken == 0 {
		t.Errorf("the relay has counted %+v, want some of each", c)
	}
}

// TestRouter has a host ask the router itself, at an address that is led through the relay both ways, and the router ask the
// host from one that is led through it on the way back alone.
func TestRouter(t *testing.T) {
	r := network(t)
	service := netip.MustParseAddr("10.91.1.1")
	must(t, netns.IP("addr add "+service.String()+"/32 dev lo"))
	t.Cleanup(func() { must(t, netns.IP("addr del "+service.String()+"/32 dev lo")) })
	must(t, r.From(service))
	at := func(conn net.PacketConn, err error) net.PacketConn {
		t.Helper()
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
		return conn
	}
	router := at(net.ListenPacket("udp4", service.String()+":7"))
	asks := at(net.ListenPacket("udp4", "10.91.0.254:7"))
	var host net.PacketConn
	must(t, netns.Inside("here", func() (err error) {
		host, err = net.ListenPacket("udp4", here.String()+":7")
		return err
	}))
	host = at(host, nil)
	for _, way := range []struct{ from, to net.PacketConn }{{host, router}, {router, host}, {asks, host}, {host, asks}} {
		_, err := way.from.WriteTo([]byte("hello"), way.to.LocalAddr())
		must(t, err)
		buffer := make([]byte, 64)
		n, from, err := way.to.ReadFrom(buffer)
		if err != nil || string(buffer[:n]) != "hello" || from.String() != way.from.LocalAddr().String() {
			t.Fatalf("from %v to %v: got %q from %v, %v; the relay has counted %+v", way.from.LocalAddr(), way.to.LocalAddr(), buffer[:n], from, err, r.Counts())
		}
	}
	if c := r.Counts(); c.Packets != 3 {
		t.Errorf("the relay has counted %+v, want 3 of the 4 packets", c)
	}

	// And a connection, which the kernel would know before it knows the way of its packets.
	var listener net.Listener
	must(t, netns.Inside("here", func() (err error) {
		listener, err = net.Listen("tcp4", here.String()+":8")
		return err
	}))
	defer listener.Close()
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		io.Copy(conn, conn)
		conn.Close()
	}()
	conn, err := net.DialTimeout("tcp4", listener.Addr().String(), 10*time.Second)
	must(t, err)
	defer conn.Close()
	must(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = conn.Write([]byte("hello"))
	must(t, err)
	buffer := make([]byte, 64)
	if n, err := conn.Read(buffer); err != nil || string(buffer[:n]) != "hello" {
		t.Errorf("by a connection: got %q, %v; the relay has counted %+v", buffer[:n], err, r.Counts())
	}
}

// TestStream sends a megabyte by TCP over the worst path: it comes as it was sent.
func TestStream(t *testing.T) {
	r := network(t)
	var listener net.Listener
	must(t, netns.Inside("there", func() (err error) {
		listener, err = net.Listen("tcp4", there.String()+":7")
		return err
	}))
	defer listener.Close()
	got := make(chan []byte, 1)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		all, _ := io.ReadAll(conn)
		got <- all
	}()
	r.Set(netip.Addr{}, netip.Addr{}, Path{Delay: time.Millisecond, Jitter: 5 * time.Millisecond, Duplicate: 0.1, Loss: 0.02})
	var conn net.Conn
	must(t, netns.Inside("here", func() (err error) {
		conn, err = (&net.Dialer{}).DialContext(t.Context(), "tcp4", there.String()+":7")
		return err
	}))
	sent := bytes.Repeat([]byte("failoverd "), 1<<20/10)
	_, err := conn.Write(sent)
	must(t, err)
	must(t, conn.Close())
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	select {
	case all := <-got:
		if !bytes.Equal(all, sent) {
			t.Errorf("%d bytes have come, and not as the %d were sent", len(all), len(sent))
		}
	case <-ctx.Done():
		t.Fatalf("nothing whole has come within 2 minutes; the relay has counted %+v", r.Counts())
	}
	t.Logf("a megabyte took %+v", r.Counts())
}
