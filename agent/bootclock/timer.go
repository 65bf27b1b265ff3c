package bootclock

import (
	"encoding/binary"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/openova-io/failoverd/lease"
)

// A Timer fires at an instant of CLOCK_BOOTTIME.
type Timer struct {
	file *os.File // a timerfd, read through the runtime's poller
	conn interface {
		Control(func(fd uintptr)) error
	}
	c    chan struct{}
	done chan struct{} // closed when read has ended
}

// NewTimer returns a timer that is not set. It fails where the process has no
// file descriptor left.
func (Clock) NewTimer() (*Timer, error) {
	fd, err := unix.TimerfdCreate(unix.CLOCK_BOOTTIME, unix.TFD_CLOEXEC|unix.TFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("create a timer of CLOCK_BOOTTIME: %w", os.NewSyscallError("timerfd_create", err))
	}
	file := os.NewFile(uintptr(fd), "timerfd") // non-blocking: goes to the poller
	// Not file.Fd: that makes the descriptor blocking, and Close would then
	// wait for a read that may never end.
	conn, err := file.SyscallConn()
	if err != nil {
		file.Close()
		return nil, fmt.Errorf("create a timer of CLOCK_BOOTTIME: %w", err)
	}
	t := &Timer{file: file, conn: conn, c: make(chan struct{}, 1), done: make(chan struct{})}
	go t.read()
	return t, nil
}

// Set makes the timer fire at the given instant instead of at the one before;
// lease.Never stops it. On a closed timer it does nothing.
func (t *Timer) Set(at lease.Instant) {
	spec := itimerspec(at)
	var setErr error
	err := t.conn.Control(func(fd uintptr) {
		setErr = unix.TimerfdSettime(int(fd), unix.TFD_TIMER_ABSTIME, &spec, nil)
	})
	if err == nil && setErr != nil {
		// No documented cause is left for it. A tick too many is harmless, one
		// that is missing is not.
		t.fire()
	}
}

// C is the channel on which the timer fires. It is never closed.
func (t *Timer) C() <-chan struct{} { return t.c }

// Close stops the timer for good and waits until its goroutine has ended.
func (t *Timer) Close() error {
	err := t.file.Close()
	<-t.done
	return err
}

// read turns expirations into ticks until the timer is closed.
func (t *Timer) read() {
	defer close(t.done)
	var expirations [8]byte
	for {
		n, err := t.file.Read(expirations[:])
		if err != nil {
			return // closed: nothing else ends a read of a timerfd
		}
		if n == len(expirations) && binary.NativeEndian.Uint64(expirations[:]) > 0 {
			t.fire()
		}
	}
}

// fire leaves one tick in the channel. If one is there already, whoever reads
// it looks at the clock after this expiration too, so none is lost.
func (t *Timer) fire() {
	select {
	case t.c <- struct{}{}:
	default:
	}
}

// itimerspec is the setting that fires once at the given instant.
func itimerspec(at lease.Instant) unix.ItimerSpec {
	if at == lease.Never {
		return unix.ItimerSpec{} // zero disarms
	}
	// So zero, and what is before it, must not be passed on as it is: an instant
	// that has passed fires at once.
	return unix.ItimerSpec{Value: unix.NsecToTimespec(int64(max(at, 1)))}
}
