package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/page"
	"github.com/openova-io/failoverd/audit"
)

// TestControlAlone: nobody else may connect in the moment before the group is allowed to.
func TestControlAlone(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	path := filepath.Join(t.TempDir(), "socket")
	l, err := listenAlone(path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode().Perm(); got != 0o600 {
		t.Errorf("mode %04o, want 0600", got)
	}
}

// TestControlGroup: the socket is for the daemon's user alone, or for a group too that is named.
func TestControlGroup(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	own, err := user.LookupGroupId(me.Gid)
	if err != nil {
		t.Fatal(err)
	}
	for group, want := range map[string]os.FileMode{"": 0o600, own.Name: 0o660} {
		path := filepath.Join(t.TempDir(), "socket")
		l, err := listenControl(path, group)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("group %q: mode %04o, want %04o", group, got, want)
		}
		if gid := strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Gid)); gid != me.Gid {
			t.Errorf("group %q: it is of group %s, want %s", group, gid, me.Gid)
		}
	}
	if _, err := listenControl(filepath.Join(t.TempDir(), "socket"), "no-such-group"); err == nil || !strings.Contains(err.Error(), "groupadd") {
		t.Errorf("a group that is not there: %v, want how to make it", err)
	}
	if err := allow(filepath.Join(t.TempDir(), "none"), own.Name); err == nil || !strings.Contains(err.Error(), "systemd/operators.conf") {
		t.Errorf("a group that the socket can't be given to: %v, want what the service needs", err)
	}
}

// TestPagesTakeNothing: who reaches api.listen can read what is there, and do nothing.
func TestPagesTakeNothing(t *testing.T) {
	_, path := setUp(t)
	d, err := prepare(t.Context(), path, instance{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	pages := pagesHandler(d.agent, page.New(page.Config{Agent: d.agent, Params: d.params}))
	ask := func(method, path string) int {
		answer := httptest.NewRecorder()
		pages.ServeHTTP(answer, httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader("{}")))
		return answer.Code
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		for _, path := range []string{"/", "/events", "/page.js", "/status", "/metrics", "/healthz", "/readyz", pathCommand, pathDrill} {
			if got := ask(method, path); got != http.StatusMethodNotAllowed && got != http.StatusNotFound {
				t.Errorf("%s %s: %d, want that there is no such thing", method, path, got)
			}
		}
	}
	if got := ask(http.MethodGet, "/status"); got != http.StatusOK {
		t.Errorf("GET /status: %d", got)
	}
}

// TestConnections: who reaches api.listen has so many connections and no more, whatever he does with them; one that ends makes room.
func TestConnections(t *testing.T) {
	dir, path := setUp(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().String()
	free.Close()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, strings.Replace(string(text), "127.0.0.1:0", address, 1))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- runDaemon(ctx, path, instance{}, nil) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	for limit := time.Now().Add(time.Minute); ; <-time.After(10 * time.Millisecond) {
		if _, err := statusBySocket(ctx, filepath.Join(dir, "socket")); err == nil {
			break
		} else if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
	open := func() net.Conn {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, "GET /healthz HTTP/1.1\r\nHost: agent\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		return conn
	}
	answered := func(conn net.Conn, within time.Duration) error {
		conn.SetReadDeadline(time.Now().Add(within))
		_, err := http.ReadResponse(bufio.NewReader(conn), nil)
		return err
	}
	var first net.Conn
	for range maxConnections {
		first = open()
		if err := answered(first, time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	another := open()
	if err := answered(another, 100*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("one more than %d connections: %v, want that it waits", maxConnections, err)
	}
	first.Close()
	if err := answered(another, time.Minute); err != nil {
		t.Errorf("there is room again: %v", err)
	}
}

// TestNoControl gives commands where no agent listens on the control socket: they say what to look at, and that is not api.listen,
// which takes none.
func TestNoControl(t *testing.T) {
	_, path := setUp(t)
	for _, args := range [][]string{{"switchover", "--to", "b"}, {"takeover"}, {"approve"}, {"deny", "--for", "1h"}, {"pause", "--for", "1h"}, {"resume"}, {"drill", "--to", "b"}} {
		out, err := failoverd(t, append(args, "--config", path, "--yes", "--reason", "november")...)
		if err == nil || strings.Contains(err.Error(), "api.listen") {
			t.Errorf("%s: got %v, want an error without api.listen:\n%s", args[0], err, out)
			continue
		}
		wants(t, err.Error(), "socket: connect: no such file or directory", "with this api.socket, and are you root, its user, or of api.group?")
	}
}

// TestOldOrder: an order that was said on another boot's clock is refused, and one that says no moment, as of an older failoverd, is not.
func TestOldOrder(t *testing.T) {
	boot, err := agent.BootClock{}.BootID()
	if err != nil {
		t.Fatal(err)
	}
	a, _ := runAgent(t)
	handler := controlHandler(a, hclog.NewNullLogger())
	for _, tt := range []struct {
		moment agent.Moment
		want   int
	}{
		{agent.Moment{}, http.StatusOK},
		{agent.Moment{At: agent.BootClock{}.Now(), BootID: boot}, http.StatusOK},
		{agent.Moment{At: agent.BootClock{}.Now().Add(-time.Hour), BootID: boot}, http.StatusConflict},
		{agent.Moment{At: agent.BootClock{}.Now(), BootID: "another"}, http.StatusConflict},
	} {
		body, err := json.Marshal(order{Command: audit.Command{Verb: agent.Pause, For: time.Hour, Reason: "a test"}, Moment: tt.moment})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequestWithContext(context.WithValue(t.Context(), peerKey{}, uint32(7)), http.MethodPost, pathCommand, bytes.NewReader(body)))
		if w.Code != tt.want {
			t.Errorf("%s: got %d and %q, want %d", body, w.Code, w.Body, tt.want)
		}
	}
}
