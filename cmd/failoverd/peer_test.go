package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

// hangUsers has the directory of users hang until release is called.
func hangUsers(t *testing.T) (release func()) {
	hung, before := make(chan struct{}), lookUpUser
	t.Cleanup(func() { lookUpUser = before })
	lookUpUser = func(id string) (*user.User, error) {
		<-hung
		return nil, os.ErrDeadlineExceeded
	}
	return func() { close(hung) }
}

// TestUsersHang: while names can't be looked up, who connects to the control socket is accepted.
func TestUsersHang(t *testing.T) {
	release := hangUsers(t)
	socket := filepath.Join(t.TempDir(), "socket")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	uids := make(chan any, 1)
	server := &http.Server{ConnContext: withPeer, Handler: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		uids <- r.Context().Value(peerKey{})
	})}
	go server.Serve(listener)
	defer server.Close()
	defer release() // before it is closed, which waits for whom it accepts
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://failoverd/", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := overSocket(socket).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	if got := <-uids; got != uint32(os.Getuid()) {
		t.Errorf("got user %v, want %d", got, os.Getuid())
	}
}

// TestPeer: a command does not wait for a name that does not come.
func TestPeer(t *testing.T) {
	if got := peer(t.Context()); got != "unknown" {
		t.Errorf("nobody has connected: got %q, want unknown", got)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.ParseUint(me.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	if got := peer(context.WithValue(t.Context(), peerKey{}, uint32(uid))); got != me.Username {
		t.Errorf("got %q, want %q", got, me.Username)
	}
	const nobody = 1<<32 - 7
	if got := peer(context.WithValue(t.Context(), peerKey{}, uint32(nobody))); got != "uid 4294967289" {
		t.Errorf("a number without a name: got %q, want uid 4294967289", got)
	}
	synctest.Test(t, func(t *testing.T) {
		release := hangUsers(t)
		defer release()
		if got := peer(context.WithValue(t.Context(), peerKey{}, uint32(7))); got != "uid 7" {
			t.Errorf("the directory hangs: got %q, want uid 7", got)
		}
	})
}
