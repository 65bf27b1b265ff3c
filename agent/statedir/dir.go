package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// A Dir is a state directory that this process holds the lock of.
type Dir struct {
	path string
	root *os.Root // files are found from here, so a directory put in its place later is never mixed with this one
	lock *os.File

	authority sync.Mutex // one writer of the authority, and of its temporary file
	history   sync.Mutex
	listed    bool // the file of the history is in the directory for good, as far as this process has seen to it
	pause     sync.Mutex
	drill     sync.Mutex

	// create opens a file for writing; tests put a full disk in its place.
	create func(name string, flag int) (*os.File, error)
}

// Open opens the state directory, creating it if it is not there, and locks it.
//
// It fails if path is no directory, if others could write to it, if this
// process may not write to it, or if another daemon uses it (ErrInUse).
func Open(path string) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open state directory: %w", err)
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, failed("create state directory", path, err)
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, failed("open state directory", path, err)
	}
	if perm := info.Mode().Perm(); perm&0o002 != 0 {
		return nil, fmt.Errorf("open state directory %s: everyone may write to it (mode %#o), and so forge what the region trusts; chmod 0700 it", path, perm)
	}
	if err := unix.Faccessat(unix.AT_FDCWD, path, unix.R_OK|unix.W_OK|unix.X_OK, unix.AT_EACCESS); err != nil && !errors.Is(err, unix.EROFS) {
		return nil, failed("open state directory", path, err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, failed("open state directory", path, err)
	}
	d := &Dir{path: path, root: root}
	d.create = func(name string, flag int) (*os.File, error) {
		return root.OpenFile(name, flag|os.O_CREATE, 0o600)
	}
	if d.lock, err = d.takeLock(); err != nil {
		root.Close()
		return nil, err
	}
	return d, nil
}

// Close gives the lock up. The Dir must not be used any more.
func (d *Dir) Close() error {
	return errors.Join(d.lock.Close(), d.root.Close())
}

// probeName is the file that CheckWritable writes.
const probeName = "probe.tmp"

// CheckWritable writes a file durably and removes it again. Its error says why
// the directory can't be written to now: the disk is full, or read-only.
func (d *Dir) CheckWritable() error {
	d.authority.Lock()
	defer d.authority.Unlock()
	err := d.writeDurably(probeName, []byte("failoverd wrote this to see whether it can\n"))
	if rmErr := d.root.Remove(probeName); err == nil && rmErr != nil {
		err = failed("remove", d.file(probeName), rmErr)
	}
	return err
}

// file is the path of one of the directory's files, for messages.
func (d *Dir) file(name string) string { return filepath.Join(d.path, name) }

// writeDurably writes a file from its beginning and syncs it, but not the
// directory that it is in.
func (d *Dir) writeDurably(name string, b []byte) error {
	f, err := d.create(name, os.O_WRONLY|os.O_TRUNC)
	if err != nil {
		return failed("create", d.file(name), err)
	}
	if _, err := f.Write(b); err != nil {
		f.Close()
		return failed("write", d.file(name), err)
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return failed("sync", d.file(name), err)
	}
	if err := f.Close(); err != nil {
		return failed("close", d.file(name), err)
	}
	return nil
}

// tmpSuffix is of what replace writes: fixed, so that one that a crash left is written over.
const tmpSuffix = ".tmp"

// replace puts a file in place of the one before, atomically. When it returns nil, it is durable.
func (d *Dir) replace(name string, b []byte) error {
	tmp := name + tmpSuffix
	if err := d.writeDurably(tmp, b); err != nil {
		d.root.Remove(tmp) // what was written of it may be all that fills the disk
		return err
	}
	if err := d.root.Rename(tmp, name); err != nil {
		d.root.Remove(tmp)
		return failed("rename "+tmp+" to", d.file(name), err)
	}
	return d.syncDir()
}

// syncDir makes creations, renames and removals in the directory durable.
func (d *Dir) syncDir() error {
	f, err := d.root.Open(".")
	if err != nil {
		return failed("sync", d.path, err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil {
		return failed("sync", d.path, err)
	}
	return nil
}

// failed is the error of an operation on a path: what failed, where, why, and
// what to do where that is known.
func failed(doing, path string, err error) error {
	// The path is in the message already, in full.
	var pathErr *fs.PathError
	var linkErr *os.LinkError
	switch {
	case errors.As(err, &pathErr):
		err = pathErr.Err
	case errors.As(err, &linkErr):
		err = linkErr.Err
	}
	for _, r := range remedies {
		if errors.Is(err, r.cause) {
			return fmt.Errorf("%s %s: %w; %s", doing, path, err, r.remedy)
		}
	}
	return fmt.Errorf("%s %s: %w", doing, path, err)
}

var remedies = []struct {
	cause  error
	remedy string
}{
	{unix.ENOSPC, "free space on that file system"},
	{unix.EDQUOT, "free space within the quota, or raise it"},
	{unix.EROFS, "mount that file system writable, or, under systemd, name it in ReadWritePaths= of a drop-in"},
	{unix.EIO, "the disk is failing: see the kernel's log, and give failoverd another state_dir"},
	{fs.ErrPermission, "let failoverd's user read and write there, or give it another state_dir"},
	{unix.ENOTDIR, "remove the file that stands in the way, or give failoverd another state_dir"},
	{unix.EISDIR, "remove the directory that stands in the way"},
	{fs.ErrNotExist, "if the state directory was removed or moved, put it back and restart failoverd"},
}
