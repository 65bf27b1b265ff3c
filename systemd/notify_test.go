package systemd_test

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/systemd"
	"github.com/openova-io/failoverd/systemd/notifytest"
)

// start returns a Notifier that sends to a socket of the test's.
func start(t *testing.T) (*systemd.Notifier, *notifytest.Manager) {
	t.Helper()
	manager := notifytest.Listen(t)
	t.Setenv("NOTIFY_SOCKET", manager.Socket)
	t.Setenv("WATCHDOG_USEC", "6000000")
	n, err := systemd.New()
	if err != nil || n == nil {
		t.Fatalf("got %v, %v; want a Notifier", n, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		n.Run(ctx, hclog.New(&hclog.LoggerOptions{Output: io.Discard}))
	}()
	t.Cleanup(func() { cancel(); <-ended })
	return n, manager
}

// TestMessages tells a life.
func TestMessages(t *testing.T) {
	n, manager := start(t)
	want := func(lines ...string) {
		t.Helper()
		got := manager.Next(t, time.Minute)
		if !slices.EqualFunc(got, lines, strings.HasPrefix) {
			t.Errorf("got the message %q, want lines that begin with %q", got, lines)
		}
	}
	if got, want := n.Every(), 2*time.Second; got != want {
		t.Errorf("with WatchdogSec=6s, Every is %v, want %v", got, want)
	}
	standby := lease.Decision{State: lease.Standby, Reason: lease.ReasonPledged}
	n.Show(standby)
	want("READY=1", "STATUS=standby, epoch 0: ")
	n.Show(standby) // is no news
	n.Alive()
	want("WATCHDOG=1")
	active := lease.Decision{State: lease.Active, Epoch: 7, Reason: lease.ReasonTaken}
	n.Show(active)
	want("STATUS=active, epoch 7: ")
	n.Reload(func() { n.Alive() })
	want("RELOADING=1", "MONOTONIC_USEC=")
	want("WATCHDOG=1")
	want("READY=1")
	active.Stopping = true
	n.Show(active)
	want("STOPPING=1", "STATUS=active, epoch 7: ")
	n.Show(standby)
	want("STATUS=standby")
}

// TestDeaf has nobody read: that holds up neither the loop nor, for ever, the process.
func TestDeaf(t *testing.T) {
	n, manager := start(t)
	for range 10_000 {
		n.Alive()
	}
	manager.Await(t, "WATCHDOG=1") // so that the sender ends
	for manager.Next(t, 100*time.Millisecond) != nil {
	}
}

// TestNone is a process that systemd has not started, and one that it tells nonsense.
func TestNone(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	if n, err := systemd.New(); n != nil || err != nil {
		t.Errorf("without NOTIFY_SOCKET: got %v, %v; want nil, nil", n, err)
	}
	t.Setenv("NOTIFY_SOCKET", "/nowhere")
	t.Setenv("WATCHDOG_USEC", "soon")
	if _, err := systemd.New(); err == nil || !strings.Contains(err.Error(), "WATCHDOG_USEC") {
		t.Errorf("with WATCHDOG_USEC=soon: got the error %v, want one that names it", err)
	}
}
