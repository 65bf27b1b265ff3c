package main

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestCantListen says what to do: a port below 1024 is not taken, but forbidden.
func TestCantListen(t *testing.T) {
	for errno, want := range map[syscall.Errno]string{
		syscall.EADDRINUSE: "stop what uses the address",
		syscall.EACCES:     "systemd/port-53.conf",
	} {
		err := cantListen(&net.OpError{Op: "listen", Net: "udp", Err: os.NewSyscallError("bind", errno)})
		if !strings.HasPrefix(err.Error(), "quorum.listen: ") || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: got %q, want %q in it", errno, err, want)
		}
	}
}
