package watchdog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A standIn is a device with a file in the place of its node: these machines have no watchdog. It takes the ioctls down, and
// makes of a timeout what it is told to.
type standIn struct {
	t       *testing.T
	path    string
	options uint32
	takes   func(int) int // the timeout that it makes of one; nil: the same
	fails   string        // the call that does
	calls   []string
	seconds int
}

func newStandIn(t *testing.T) *standIn {
	s := &standIn{t: t, path: filepath.Join(t.TempDir(), "watchdog"), options: unix.WDIOF_MAGICCLOSE | unix.WDIOF_SETTIMEOUT}
	if err := os.WriteFile(s.path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *standIn) call(what string) error {
	s.calls = append(s.calls, what)
	if what == s.fails {
		return errors.New(what + " fails")
	}
	return nil
}

func (s *standIn) info(*os.File) (*unix.WatchdogInfo, error) {
	i := &unix.WatchdogInfo{Options: s.options}
	copy(i.Identity[:], "stand-in")
	return i, s.call("info")
}

func (s *standIn) setTimeout(_ *os.File, seconds int) error {
	if s.seconds = seconds; s.takes != nil {
		s.seconds = s.takes(seconds)
	}
	return s.call("set")
}

func (s *standIn) timeout(*os.File) (int, error) { return s.seconds, s.call("get") }
func (s *standIn) ping(*os.File) error           { return s.call("ping") }

// written is what was written to the device since it was asked last.
func (s *standIn) written() string {
	s.t.Helper()
	b, err := os.ReadFile(s.path)
	if err == nil {
		err = os.Truncate(s.path, 0)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func TestDevice(t *testing.T) {
	s := newStandIn(t)
	d, err := open(s.path, 10*time.Second, false, s)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.written(); got != "V" || d.Timeout() != 10*time.Second || s.seconds != 10 {
		t.Errorf("after Open %q was written, and the timeout is %v (%d s); want it disarmed, and 10 s", got, d.Timeout(), s.seconds)
	}
	s.calls = nil
	for _, do := range []func() error{d.Arm, d.Ping, d.Ping} {
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.written(); got != "" {
		t.Errorf("while it is armed %q is written, want nothing: V would disarm it", got)
	}
	if err := d.Disarm(); err != nil {
		t.Fatal(err)
	}
	if got, calls := s.written(), strings.Join(s.calls, " "); got != "V" || calls != "set get ping ping" {
		t.Errorf("armed, pinged twice and disarmed: %q was written, calls %q; want V, and set get ping ping", got, calls)
	}
}

// TestOpenArmed takes over a device whose timer may run: it is never disarmed on the way.
func TestOpenArmed(t *testing.T) {
	s := newStandIn(t)
	d, err := open(s.path, 10*time.Second, true, s)
	if err != nil {
		t.Fatal(err)
	}
	if !d.Armed() {
		t.Error("it says that it is not armed")
	}
	if err := d.Arm(); err != nil {
		t.Fatal(err)
	}
	if got, calls := s.written(), strings.Join(s.calls, " "); got != "" || calls != "set get info ping" {
		t.Errorf("%q was written, calls %q; want nothing, and set get info ping", got, calls)
	}
	if err := d.Disarm(); err != nil || s.written() != "V" || d.Armed() {
		t.Errorf("disarmed: %v, armed %v; want V written", err, d.Armed())
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		spoil func(*standIn)
		want  string
	}{
		{"not there", func(s *standIn) { s.path += "0" }, "is its module loaded"},
		{"can't be disarmed", func(s *standIn) { s.options = 0 }, "stand-in, can't be disarmed"},
		{"another timeout", func(s *standIn) { s.takes = func(n int) int { return n + 6 } }, "it makes 16 s of a timeout of 10 s"},
		{"takes no timeout", func(s *standIn) { s.fails = "set" }, "set fails"},
		{"does not tell it", func(s *standIn) { s.fails = "get" }, "get fails"},
		{"does not tell what it is", func(s *standIn) { s.fails = "info" }, "info fails"},
	} {
		s := newStandIn(t)
		there := s.path
		tt.spoil(s)
		if _, err := open(s.path, 10*time.Second, false, s); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
		if s.path == there {
			if got := s.written(); got != "V" {
				t.Errorf("%s: %q was written, want it disarmed", tt.name, got)
			}
		}
	}
	// A file that is no watchdog.
	if _, err := Open("/dev/null", 10*time.Second, false); err == nil {
		t.Error("/dev/null was taken for a watchdog")
	}
}

func TestPingFails(t *testing.T) {
	s := newStandIn(t)
	d, err := open(s.path, time.Second, false, s)
	if err == nil {
		err = d.Arm()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.fails = "ping"
	if err := d.Ping(); err == nil || !strings.Contains(err.Error(), "ping fails") {
		t.Errorf("got %v, want that it fails", err)
	}
}
