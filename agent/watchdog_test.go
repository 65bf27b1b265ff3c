package agent_test

import (
	"context"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/systemd"
	"github.com/openova-io/failoverd/systemd/notifytest"
)

// A snare is a mirror that holds the loop, and nothing else of the process, in one place.
type snare struct {
	set    atomic.Bool
	caught chan struct{} // closed when the loop stands still
	open   chan struct{} // closed to let it go on
}

func (s *snare) Transition(lease.Transition) {}

func (s *snare) Show(lease.Decision, []lease.PeerView) {
	if s.set.CompareAndSwap(true, false) {
		close(s.caught)
		<-s.open
	}
}

// TestWatchdog has a loop stand still while everything beside it goes on: systemd is told
// nothing more until it turns again.
func TestWatchdog(t *testing.T) {
	const watchdog = 300 * time.Millisecond
	manager := notifytest.Listen(t)
	t.Setenv("NOTIFY_SOCKET", manager.Socket)
	t.Setenv("WATCHDOG_USEC", "300000")
	notifier, err := systemd.New()
	if err != nil {
		t.Fatal(err)
	}
	log := hclog.New(&hclog.LoggerOptions{Output: io.Discard})
	params := hostileParams()
	w, err := witness.New(&store{values: map[string][]byte{}}, witness.Config{
		Prefix: "failoverd", Group: "g", Region: "b", Members: params.Members, PrivateKey: hostileKey("b"), PublicKeys: hostileKeys(),
	})
	if err != nil {
		t.Fatal(err)
	}
	dir, err := statedir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	params.Quorum = false
	held := &snare{caught: make(chan struct{}), open: make(chan struct{})}
	release := sync.OnceFunc(func() { close(held.open) })
	a, err := agent.New(agent.Config{
		Params: params, Version: "v1", Witnesses: []agent.Witness{w}, Mirror: held, Manager: notifier, Disk: dir, Clock: agent.BootClock{}, Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() { notifier.Run(ctx, log) })
	both.Go(func() {
		if err := a.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	defer both.Wait()
	defer cancel()
	defer release()

	if first := manager.Next(t, time.Minute); len(first) == 0 || first[0] != "READY=1" {
		t.Fatalf("the first message is %q, want READY=1", first)
	}
	for range 3 {
		manager.Await(t, "WATCHDOG=1")
	}
	held.set.Store(true)
	for standing := false; !standing; {
		manager.Next(t, watchdog)
		select {
		case <-held.caught:
			standing = true
		default:
		}
	}
	// What the loop had told before may still come: one ping, or two.
	messages := 0
	for manager.Next(t, 10*watchdog) != nil {
		if messages++; messages > 3 {
			t.Fatalf("the loop stands still, and %d messages came since", messages)
		}
	}
	t.Logf("%d messages came after the loop stood still, and then none for ten times WatchdogSec", messages)
	release()
	manager.Await(t, "WATCHDOG=1")
}
