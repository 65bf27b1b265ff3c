package statedir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

const lockName = "lock"

// ErrInUse is the error of Open where another daemon holds the lock.
var ErrInUse = errors.New("the state directory is in use")

type inUse struct{ text string }

func (e inUse) Error() string   { return e.text }
func (e inUse) Is(t error) bool { return t == ErrInUse }

// takeLock locks the directory for as long as the returned file is open. It is
// flock's lock, and not the existence of a file: it ends with the process.
func (d *Dir) takeLock() (*os.File, error) {
	path := d.file(lockName)
	// Read-only if it is there, so that a full or read-only disk is no obstacle.
	f, err := d.root.Open(lockName)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = d.create(lockName, os.O_RDONLY)
	}
	if err != nil {
		return nil, failed("open lock", path, err)
	}
	if err := flock(f); err != nil {
		defer f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return nil, failed("lock", path, err)
		}
		who := ""
		if pid := readPID(f); pid != 0 {
			who = fmt.Sprintf(" (pid %d)", pid)
		}
		return nil, inUse{fmt.Sprintf("another failoverd%s uses the state directory %s; stop it, or give this one a state_dir of its own", who, d.path)}
	}
	// Whose lock it is only makes a message better, so it is no failure if it can't be
	// written. Always the same length: an existing file then needs no space.
	if w, err := d.root.OpenFile(lockName, os.O_WRONLY, 0); err == nil {
		fmt.Fprintf(w, "%-19d\n", os.Getpid())
		w.Close()
	}
	return f, nil
}

func flock(f *os.File) error {
	conn, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var lockErr error
	if err := conn.Control(func(fd uintptr) {
		lockErr = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB)
	}); err != nil {
		return err
	}
	return lockErr
}

// readPID is the process id that a lock file names, or 0.
func readPID(f *os.File) int {
	b, _ := io.ReadAll(io.LimitReader(f, 64))
	pid, err := strconv.Atoi(string(bytes.TrimSpace(b)))
	if err != nil {
		return 0
	}
	return pid
}
