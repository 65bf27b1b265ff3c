package watchdog

import (
	"os"

	"golang.org/x/sys/unix"
)

// kernel is the real driver: Documentation/watchdog/watchdog-api.rst of Linux.
type kernel struct{}

func (kernel) info(f *os.File) (*unix.WatchdogInfo, error) {
	return unix.IoctlGetWatchdogInfo(int(f.Fd()))
}

func (kernel) setTimeout(f *os.File, seconds int) error {
	return unix.IoctlSetPointerInt(int(f.Fd()), unix.WDIOC_SETTIMEOUT, seconds)
}

func (kernel) timeout(f *os.File) (int, error) {
	return unix.IoctlGetInt(int(f.Fd()), unix.WDIOC_GETTIMEOUT)
}

func (kernel) ping(f *os.File) error { return unix.IoctlWatchdogKeepalive(int(f.Fd())) }
