package daemon_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/systemd/notifytest"
)

// TestSystemd starts a daemon as systemd does for a service of Type=notify with a watchdog, and reads what it says.
func TestSystemd(t *testing.T) {
	binaries := daemon.Build(t, true)
	group := daemon.NewGroup(t, binaries, daemon.DefaultTimes("fsn", "hel"), nil)
	manager := notifytest.Listen(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	p, err := daemon.StartProcess("/usr/bin/env", "NOTIFY_SOCKET="+manager.Socket, "WATCHDOG_USEC=300000",
		binaries.Daemon, "run", "--config", group.Regions[0].ConfigFile())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		if _, stderr := p.Output(); t.Failed() {
			t.Log(stderr)
		}
	}()
	want := func(message []string, lines ...string) {
		t.Helper()
		if !slices.EqualFunc(message, lines, strings.HasPrefix) {
			t.Errorf("it says %q, want lines that begin with %q", message, lines)
		}
	}
	want(manager.Next(t, time.Minute), "READY=1", "STATUS=")
	manager.Await(t, "WATCHDOG=1")
	if err := p.Reload(); err != nil {
		t.Fatal(err)
	}
	want(manager.Await(t, "RELOADING=1"), "RELOADING=1", "MONOTONIC_USEC=")
	want(manager.Await(t, "READY=1"), "READY=1")
	if err := p.Freeze(ctx); err != nil {
		t.Fatal(err)
	}
	for manager.Next(t, 3*time.Second) != nil { // ten times WatchdogSec
	}
	if err := p.Thaw(); err != nil {
		t.Fatal(err)
	}
	manager.Await(t, "WATCHDOG=1")
	if err := p.Terminate(); err != nil {
		t.Fatal(err)
	}
	want(manager.Await(t, "STOPPING=1"), "STOPPING=1", "STATUS=")
	if code, err := p.Wait(ctx); err != nil || code != 0 {
		t.Errorf("exit code %d, %v; want 0", code, err)
	}
}
