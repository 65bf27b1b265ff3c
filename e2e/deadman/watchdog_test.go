package deadman

import (
	"bufio"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// driver stands in for package watchdog's own way to the kernel: these machines have no watchdog. What would be calls is written
// to the device: T and the seconds, for a timeout, and P, for a ping. V, which disarms it, is written by the daemon itself.
const driver = `package watchdog

import (
	"os"

	"golang.org/x/sys/unix"
)

type kernel struct{}

var set int

func (kernel) info(*os.File) (*unix.WatchdogInfo, error) {
	return &unix.WatchdogInfo{Options: unix.WDIOF_MAGICCLOSE | unix.WDIOF_SETTIMEOUT}, nil
}

func (kernel) setTimeout(f *os.File, seconds int) error {
	set = seconds
	_, err := f.Write([]byte{'T', byte(seconds)})
	return err
}

func (kernel) timeout(*os.File) (int, error) { return set, nil }

func (kernel) ping(f *os.File) error {
	_, err := f.Write([]byte("P"))
	return err
}
`

// withStandIn is what the daemon is built with.
func withStandIn(t *testing.T) (flags []string) {
	path, err := filepath.Abs("../../watchdog/kernel.go")
	must(t, err)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("the driver that is replaced is not there: %v", err)
	}
	return daemon.Overlay(t, map[string]string{path: driver})
}

// A standIn is a watchdog's device: one that is armed, and not pinged for its timeout, resets the machine.
type standIn struct {
	path  string
	reset func()

	mu      sync.Mutex
	resetAt lease.Instant // 0 if it was not
	late    time.Duration // by how much later than due
}

// newStandIn is a device until the test ends.
func newStandIn(t *testing.T, reset func()) *standIn {
	t.Helper()
	s := &standIn{path: filepath.Join(t.TempDir(), "watchdog"), reset: reset}
	must(t, unix.Mkfifo(s.path, 0o600))
	f, err := os.OpenFile(s.path, os.O_RDWR, 0) // also to write, so that it never ends
	must(t, err)
	calls := make(chan byte)
	var both sync.WaitGroup
	both.Go(func() {
		defer close(calls)
		for in := bufio.NewReader(f); ; {
			b, err := in.ReadByte()
			if err != nil {
				return // the test has ended
			}
			calls <- b
		}
	})
	both.Go(func() { s.run(calls) })
	t.Cleanup(func() {
		f.Close()
		both.Wait()
	})
	return s
}

// run is the device's timer.
func (s *standIn) run(calls <-chan byte) {
	var timeout time.Duration
	var due lease.Instant
	timer := time.NewTimer(time.Hour)
	for {
		select {
		case call, ok := <-calls:
			switch {
			case !ok:
				return
			case call == 'V':
				timer.Stop()
				continue
			case call == 'T':
				timeout = time.Duration(<-calls) * time.Second
			}
			due = now().Add(timeout)
			timer.Reset(timeout)
		case <-timer.C:
			s.mu.Lock()
			s.resetAt, s.late = now(), now().Sub(due)
			s.mu.Unlock()
			s.reset()
		}
	}
}

// state is when the machine was reset, 0 if it was not, and by how much later than due.
func (s *standIn) state() (at lease.Instant, late time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.resetAt, s.late
}

func now() lease.Instant { return bootclock.Clock{}.Now() }
