// Package systemd tells systemd how the daemon does (sd_notify(3)), and holds the unit file.
//
// It guarantees that a watchdog's ping is sent only when the agent's loop asks for one: nothing
// here pings by itself. So a loop that stands still is ended and started again, whatever
// else in the process still runs. And systemd that does not listen holds up nobody but Run.
package systemd

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/lease"
)

// A Notifier tells systemd. Show and Alive are for the one goroutine of the agent's loop.
type Notifier struct {
	every  time.Duration
	queue  chan string // messages, in order
	shown  lease.Decision
	status string
}

// New returns the Notifier of a process that systemd has started with Type=notify, and nil
// for any other. It fails if what systemd says of its watchdog can't be read.
func New() (*Notifier, error) {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil, nil
	}
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, fmt.Errorf("read the watchdog's time from WATCHDOG_USEC and WATCHDOG_PID: %w", err)
	}
	return &Notifier{every: watchdog / 3, queue: make(chan string, 64)}, nil
}

// Every is how often Alive is to be called: a third of WatchdogSec; 0 if systemd does not watch.
func (n *Notifier) Every() time.Duration { return n.every }

// Alive says that the loop turns.
func (n *Notifier) Alive() { n.tell(daemon.SdNotifyWatchdog) }

// Show says what stands: with the first decision the daemon is ready, and with the first that
// says so it is stopping.
func (n *Notifier) Show(d lease.Decision) {
	status := fmt.Sprintf("STATUS=%s, epoch %d: %s", d.State, d.Epoch, lease.ReasonOf(d.Reason).Text)
	switch {
	case n.status == "":
		n.tell(daemon.SdNotifyReady + "\n" + status)
	case d.Stopping && !n.shown.Stopping:
		n.tell(daemon.SdNotifyStopping + "\n" + status)
	case status != n.status:
		n.tell(status)
	}
	n.shown, n.status = d, status
}

// Reload says that the configuration is being read again, does it, and says that it was. Any
// goroutine may call it.
func (n *Notifier) Reload(read func()) {
	n.tell(daemon.SdNotifyReloading + "\n" + daemon.SdNotifyMonotonicUsec())
	read()
	n.tell(daemon.SdNotifyReady)
}

// tell drops the message if systemd has not taken many before it.
func (n *Notifier) tell(message string) {
	select {
	case n.queue <- message:
	default:
	}
}

// Run sends until ctx ends, and may hang for as long as systemd does not read.
func (n *Notifier) Run(ctx context.Context, log hclog.Logger) {
	failing := false
	for {
		select {
		case message := <-n.queue:
			_, err := daemon.SdNotify(false, message)
			if err != nil && !failing {
				log.Warn("systemd can't be told how the daemon does; it will start it again if it watches it", "error", err)
			}
			failing = err != nil
		case <-ctx.Done():
			return
		}
	}
}
