package bench

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestLink: what is said passes both ways, nothing does while the link is cut, and then all of it, in its order.
func TestLink(t *testing.T) {
	echo, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	heard := make(chan string, 10)
	go func() {
		conn, err := echo.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		b := make([]byte, 100)
		for {
			n, err := conn.Read(b)
			if err != nil {
				return
			}
			heard <- string(b[:n])
			conn.Write(b[:n])
		}
	}()
	link := NewLink(t, echo.Addr().String())
	conn, err := net.Dial("tcp", link.Address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	say := func(what string) {
		t.Helper()
		if _, err := conn.Write([]byte(what)); err != nil {
			t.Fatal(err)
		}
	}
	hear := func(want string) {
		t.Helper()
		b := make([]byte, len(want))
		if _, err := io.ReadFull(conn, b); err != nil || string(b) != want {
			t.Fatalf("heard %q and %v, want %q", b, err, want)
		}
	}
	say("one")
	hear("one")
	<-heard
	link.Slow(50 * time.Millisecond)
	sent := time.Now()
	say("two")
	hear("two")
	<-heard
	if took := time.Since(sent); took < 50*time.Millisecond {
		t.Errorf("an answer that is to be late by 50 ms came after %v", took)
	}
	link.Cut()
	say("three")
	link.Slow(0)
	// That nothing passes can't be waited for: what is heard after healing is all of it, once.
	select {
	case got := <-heard:
		t.Errorf("%q passed a link that is cut", got)
	default:
	}
	link.Heal()
	hear("three")
	if got := <-heard; got != "three" {
		t.Errorf("the server heard %q", got)
	}
}
