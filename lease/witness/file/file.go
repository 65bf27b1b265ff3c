// Package file is a witness store in a directory: one file for each register,
// replaced by an atomic rename. It is linearizable (its staleness bound is 0)
// on a local file system, and on a shared one as far as that file system is;
// NFS with attribute caching is not.
//
// It guarantees that a value is read whole or not at all, also after a crash
// or a loss of power, that an acknowledged value survives both, and that no
// call outlives its context even where the file system hangs, and that none
// counts that was made in another directory than at first, as where a mount is
// lost. It leaves to others to make the directory, and to share it between the regions.
package file

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
)

// maxInFlight bounds how many calls may wait for a file system that hangs: a
// call that its context has ended goes on in the kernel, and can't be stopped.
const maxInFlight = 32

// tempPrefix begins the names of files that are being written. No register's
// file has such a name, since fileName escapes a leading dot.
const tempPrefix = ".tmp-"

// tempAge is when a temporary file is taken to be left over from a crash.
const tempAge = time.Hour

// A Store is a directory of registers.
type Store struct {
	dir      string
	inFlight chan struct{}
	swept    sync.Once

	mu    sync.Mutex
	first os.FileInfo // of the directory, when it was first there
}

// New returns the store in the directory dir, which must exist and be writable: the first call says so if it is not.
func New(dir string) *Store {
	return &Store{dir: dir, inFlight: make(chan struct{}, maxInFlight)}
}

// sweep removes what crashed writers have left.
func (s *Store) sweep() {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return // what is there is said by who wants it
	}
	for _, e := range entries {
		info, err := e.Info()
		if err == nil && strings.HasPrefix(e.Name(), tempPrefix) && time.Since(info.ModTime()) > tempAge {
			os.Remove(filepath.Join(s.dir, e.Name())) // one that stays does no harm
		}
	}
}

// Put implements witness.Store.
func (s *Store) Put(ctx context.Context, key string, value []byte) error {
	if err := witness.CheckSize(key, value); err != nil {
		return err
	}
	name, err := fileName(key)
	if err != nil {
		return &witness.Error{Class: witness.Invalid, Op: "put", Key: key, Err: err}
	}
	_, err = s.do(ctx, "put", key, func() ([]byte, error) {
		s.swept.Do(s.sweep)
		return nil, s.replace(name, value)
	})
	return err
}

// Get implements witness.Store.
func (s *Store) Get(ctx context.Context, key string) ([]byte, error) {
	name, err := fileName(key)
	if err != nil {
		return nil, &witness.Error{Class: witness.Invalid, Op: "get", Key: key, Err: err}
	}
	return s.do(ctx, "get", key, func() ([]byte, error) { return s.read(name) })
}

// do runs op where a file system that hangs can't hold the caller up.
func (s *Store) do(ctx context.Context, verb, key string, op func() ([]byte, error)) ([]byte, error) {
	if ctx.Err() != nil { // select would choose at random
		return nil, witness.Interrupted(ctx, verb, key)
	}
	select {
	case s.inFlight <- struct{}{}:
	case <-ctx.Done():
		return nil, witness.Interrupted(ctx, verb, key)
	}
	type result struct {
		value []byte
		err   error
	}
	done := make(chan result, 1)
	go func() {
		defer func() { <-s.inFlight }()
		before := s.same()
		value, err := op()
		// A file system that is unmounted leaves an empty directory: what is written there nobody else sees.
		if moved := cmp.Or(before, s.same()); moved != nil {
			value, err = nil, moved
		}
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		if r.err != nil && !errors.Is(r.err, witness.ErrNotFound) {
			return nil, s.fail(verb, key, r.err)
		}
		return r.value, r.err
	case <-ctx.Done():
		return nil, witness.Interrupted(ctx, verb, key)
	}
}

// errOther says that the directory is another one than it was.
var errOther = errors.New("it is not the directory that it was at first")

// same says what is wrong unless the directory is the one that it was at first.
func (s *Store) same() error {
	info, err := os.Stat(s.dir)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.first == nil:
		s.first = info
	case !os.SameFile(s.first, info):
		return errOther
	}
	return nil
}

// replace writes the file of a register. The order is what durability rests
// on: the content is on disk BEFORE it gets the name, and the name is on disk
// BEFORE the write is acknowledged.
func (s *Store) replace(name string, value []byte) (err error) {
	f, err := os.CreateTemp(s.dir, tempPrefix)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close() // again, at worst
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(value); err != nil {
		return err
	}
	if err := f.Chmod(0o644); err != nil { // agents of other users read it
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(s.dir, name)); err != nil {
		return err
	}
	d, err := os.Open(s.dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *Store) read(name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(s.dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, witness.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, witness.MaxRecord+1))
}

// fail turns an error of the file system into one that says what to do.
func (s *Store) fail(op, key string, err error) error {
	e := &witness.Error{Class: witness.Unreachable, Op: op, Key: key, Err: err}
	switch {
	case errors.Is(err, os.ErrNotExist):
		e.Class, e.Remedy = witness.Refused, fmt.Sprintf("create the directory %s, or correct witness.file.dir", s.dir)
	case errors.Is(err, errOther):
		e.Class, e.Remedy = witness.Refused, fmt.Sprintf("mount the file system of %s again; if another directory was meant to take its place, restart the agent", s.dir)
	case errors.Is(err, syscall.ENOTDIR):
		e.Class, e.Remedy = witness.Refused, fmt.Sprintf("%s is not a directory: correct witness.file.dir", s.dir)
	case errors.Is(err, os.ErrPermission):
		e.Class, e.Remedy = witness.Refused, fmt.Sprintf("let the user of failoverd read and write the directory %s", s.dir)
	case errors.Is(err, syscall.EROFS):
		e.Class, e.Remedy = witness.Refused, fmt.Sprintf("mount the file system of %s for writing, or, under systemd, name it in ReadWritePaths= of a drop-in", s.dir)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		e.Class, e.Remedy = witness.Quota, fmt.Sprintf("make room on the file system of %s", s.dir)
	}
	return e
}
