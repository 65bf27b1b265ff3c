package watchdog

import (
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A driver is the kernel's side of an open device.
type driver interface {
	info(*os.File) (*unix.WatchdogInfo, error)
	setTimeout(f *os.File, seconds int) error
	timeout(*os.File) (seconds int, err error)
	ping(*os.File) error
}

// A Device is a watchdog. Its methods belong to one goroutine.
type Device struct {
	path    string
	seconds int
	driver  driver
	file    *os.File // nil while it is not armed
}

// Open checks that a device is there, takes a timeout in whole seconds and can be disarmed. It leaves the device disarmed, or
// armed: an agent before this one may have died, with its timer running, and this one may yet fail to begin.
func Open(path string, timeout time.Duration, armed bool) (*Device, error) {
	return open(path, timeout, armed, kernel{})
}

func open(path string, timeout time.Duration, armed bool, of driver) (*Device, error) {
	d := &Device{path: path, seconds: int(timeout / time.Second), driver: of}
	if err := d.Arm(); err != nil {
		return nil, err
	}
	info, err := d.driver.info(d.file)
	if err == nil && info.Options&unix.WDIOF_MAGICCLOSE == 0 {
		err = fmt.Errorf("its driver, %s, can't be disarmed (no magic close), so every stop of the agent would reset the machine; use another device", name(info))
	}
	if err == nil && armed {
		return d, nil
	}
	if err = errors.Join(err, d.Disarm()); err != nil {
		return nil, fmt.Errorf("watchdog %s: %w", path, err)
	}
	return d, nil
}

// Timeout is how long after the last ping the machine is reset.
func (d *Device) Timeout() time.Duration { return time.Duration(d.seconds) * time.Second }

// Armed reports whether its timer runs.
func (d *Device) Armed() bool { return d.file != nil }

// Arm starts the timer, or starts it anew. From now on it has to be pinged.
func (d *Device) Arm() error {
	if d.file != nil {
		return d.Ping()
	}
	f, err := os.OpenFile(d.path, os.O_WRONLY, 0)
	if err != nil {
		return fmt.Errorf("watchdog: %w; is its module loaded (as softdog), does nobody else hold it, and may this user write to it?", err)
	}
	d.file = f
	set := d.driver.setTimeout(f, d.seconds)
	got, err := d.driver.timeout(f)
	switch {
	case set != nil || err != nil:
		err = errors.Join(set, err)
	case got != d.seconds:
		err = fmt.Errorf("it makes %d s of a timeout of %d s; set watchdog.timeout to one that it takes", got, d.seconds)
	default:
		return nil
	}
	return fmt.Errorf("watchdog %s: %w", d.path, errors.Join(err, d.Disarm()))
}

// Ping starts the timer anew.
func (d *Device) Ping() error {
	if err := d.driver.ping(d.file); err != nil {
		return fmt.Errorf("ping the watchdog %s: %w", d.path, err)
	}
	return nil
}

// Disarm stops the timer.
func (d *Device) Disarm() error {
	_, err := d.file.Write([]byte("V"))
	if err = errors.Join(err, d.file.Close()); err != nil {
		err = fmt.Errorf("disarm the watchdog %s: %w", d.path, err)
	}
	d.file = nil
	return err
}

func name(info *unix.WatchdogInfo) string { return unix.ByteSliceToString(info.Identity[:]) }
