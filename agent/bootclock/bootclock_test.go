package bootclock

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openova-io/failoverd/lease"
)

func TestNowGoesOn(t *testing.T) {
	var clock Clock
	last := clock.Now()
	if last <= 0 {
		t.Fatalf("Now() = %d, want more than 0", last)
	}
	for range 1000 {
		now := clock.Now()
		if now < last {
			t.Fatalf("Now() = %d after %d", now, last)
		}
		last = now
	}
}

// The clock is the one of /proc/uptime, which counts suspend, and not another.
func TestNowIsBootTime(t *testing.T) {
	var before, after unix.Sysinfo_t
	if err := unix.Sysinfo(&before); err != nil {
		t.Fatal(err)
	}
	now := Clock{}.Now()
	if err := unix.Sysinfo(&after); err != nil {
		t.Fatal(err)
	}
	// Sysinfo rounds up to whole seconds.
	if s := int64(time.Duration(now) / time.Second); s < before.Uptime-1 || s > after.Uptime {
		t.Errorf("Now() = %d s, want %d to %d", s, before.Uptime-1, after.Uptime)
	}
}

func newTimer(t *testing.T) *Timer {
	t.Helper()
	timer, err := Clock{}.NewTimer()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { timer.Close() })
	return timer
}

// A timer never fires early, whichever order it is set in, and always fires.
func TestTimerFires(t *testing.T) {
	timer := newTimer(t)
	var clock Clock
	for _, d := range []time.Duration{0, time.Nanosecond, time.Millisecond, 20 * time.Millisecond, -time.Second} {
		at := clock.Now().Add(d)
		timer.Set(at)
		<-timer.C()
		if now := clock.Now(); now < at {
			t.Errorf("set %v ahead: fired %v early", d, at.Sub(now))
		}
	}
}

// What lies before the boot, as far as a number goes, has passed too. Zero
// would disarm a timerfd.
func TestTimerInThePast(t *testing.T) {
	timer := newTimer(t)
	for _, at := range []lease.Instant{0, -1, 1, -lease.Never} {
		timer.Set(at)
		<-timer.C()
	}
}

func TestTimerIsReplaced(t *testing.T) {
	timer := newTimer(t)
	timer.Set(Clock{}.Now().Add(time.Hour))
	timer.Set(Clock{}.Now())
	<-timer.C()
	timer.Set(Clock{}.Now().Add(time.Hour))
	timer.Set(lease.Never)
	select {
	case <-timer.C():
		t.Error("a stopped timer fired")
	default:
	}
}

// Ticks that nobody reads don't block, and don't keep a later one away.
func TestTimerUnread(t *testing.T) {
	timer := newTimer(t)
	var clock Clock
	for range 100 {
		timer.Set(clock.Now())
	}
	at := clock.Now().Add(5 * time.Millisecond)
	timer.Set(at)
	for clock.Now() < at {
		<-timer.C() // one of them may be stale
	}
}

func TestTimerClose(t *testing.T) {
	for range 100 {
		timer, err := Clock{}.NewTimer()
		if err != nil {
			t.Fatal(err)
		}
		timer.Set(Clock{}.Now().Add(time.Hour))
		if err := timer.Close(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-timer.done:
		default:
			t.Fatal("Close returned before the goroutine had ended")
		}
		timer.Set(Clock{}.Now()) // does nothing, and does not touch a descriptor that is another's now
	}
}

func TestItimerspec(t *testing.T) {
	tests := []struct {
		at        lease.Instant
		sec, nsec int64
	}{
		{lease.Never, 0, 0},
		{0, 0, 1},
		{-5, 0, 1},
		{1, 0, 1},
		{1_999_999_999, 1, 999_999_999},
		{lease.Never - 1, 9223372036, 854775806},
	}
	for _, tt := range tests {
		got := itimerspec(tt.at)
		want := unix.ItimerSpec{Value: unix.Timespec{Sec: tt.sec, Nsec: tt.nsec}}
		if got != want {
			t.Errorf("itimerspec(%d) = %+v, want %+v", tt.at, got, want)
		}
	}
}

func TestBootID(t *testing.T) {
	got, err := Clock{}.BootID()
	if err != nil {
		t.Fatal(err)
	}
	again, err := Clock{}.BootID()
	if err != nil || again != got {
		t.Errorf("BootID() = %q, %v; want %q again", again, err, got)
	}
}

func TestBootIDFiles(t *testing.T) {
	const id = "0b1d9d5c-6b7d-4b0e-9a57-1d3f6f2a8c11"
	const absent = "\x00"
	tests := []struct {
		name, id, offsets string
		want              string
		fails             bool
	}{
		{"no time namespaces", id + "\n", absent, id, false},
		{"no offset", id + "\n", "monotonic           0         0\nboottime            0         0\n", id, false},
		{"offset of another clock", id + "\n", "monotonic 7 0\nboottime 0 0\n", id, false},
		{"offset", id + "\n", "monotonic 0 0\nboottime 86400 5\n", id + "+86400.5", false},
		{"negative offset", id + "\n", "monotonic 0 0\nboottime -3 0\n", id + "+-3.0", false},
		{"empty", "", absent, "", true},
		{"not an id", "unknown\n", absent, "", true},
		{"none", absent, absent, "", true},
	}
	for _, tt := range tests {
		dir := t.TempDir()
		file := func(name, content string) string {
			path := filepath.Join(dir, name)
			if content != absent {
				if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			return path
		}
		got, err := bootID(file("boot_id", tt.id), file("timens_offsets", tt.offsets))
		if got != tt.want || (err != nil) != tt.fails {
			t.Errorf("%s: got %q, %v; want %q, failure %v", tt.name, got, err, tt.want, tt.fails)
		}
	}
}

func BenchmarkNow(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Clock{}.Now()
	}
}

func BenchmarkTimerSet(b *testing.B) {
	timer, err := Clock{}.NewTimer()
	if err != nil {
		b.Fatal(err)
	}
	defer timer.Close()
	b.ReportAllocs()
	for b.Loop() {
		timer.Set(lease.Never - 1)
	}
}
