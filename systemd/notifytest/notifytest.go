// Package notifytest stands in for systemd, in tests: a real socket that takes what
// sd_notify(3) sends.
package notifytest

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A Manager is who is notified.
type Manager struct {
	Socket string // what NOTIFY_SOCKET is to be
	conn   *net.UnixConn
}

// Listen opens the socket, until the test ends.
func Listen(tb testing.TB) *Manager {
	tb.Helper()
	dir, err := os.MkdirTemp("", "notify") // the path of a socket is to be short
	if err != nil {
		tb.Fatal(err)
	}
	m := &Manager{Socket: filepath.Join(dir, "s")}
	if m.conn, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: m.Socket, Net: "unixgram"}); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		m.conn.Close()
		os.RemoveAll(dir)
	})
	return m
}

// Next is the next message, line by line. It is nil if none comes for as long as patience.
func (m *Manager) Next(tb testing.TB, patience time.Duration) []string {
	tb.Helper()
	message, err := m.Receive(patience)
	if err != nil {
		tb.Fatal(err)
	}
	return message
}

// Receive is Next for a goroutine that is not the test's own.
func (m *Manager) Receive(patience time.Duration) ([]string, error) {
	if err := m.conn.SetReadDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	b := make([]byte, 4096)
	n, err := m.conn.Read(b)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return strings.Split(strings.TrimSuffix(string(b[:n]), "\n"), "\n"), nil
}

// Await lets messages pass up to one that has a line which begins with prefix, and returns it.
func (m *Manager) Await(tb testing.TB, prefix string) []string {
	tb.Helper()
	limit := time.Now().Add(time.Minute)
	for time.Now().Before(limit) {
		message := m.Next(tb, time.Until(limit))
		for _, line := range message {
			if strings.HasPrefix(line, prefix) {
				return message
			}
		}
	}
	tb.Fatalf("no message %q within a minute", prefix)
	return nil
}
