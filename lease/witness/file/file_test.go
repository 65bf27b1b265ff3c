package file_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/file"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

func TestConformance(t *testing.T) {
	witnesstest.Run(t, func(t *testing.T) witness.Store { return file.New(t.TempDir()) })
}

// The harm is what a directory can do to its users: it is gone for a while, as where a mount is lost.
func TestLinearizable(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	witnesstest.RunLinearizable(t, func(t *testing.T) witness.Store { return file.New(dir) }, func(t *testing.T, c *witnesstest.Clients) {
		for range 3 {
			if err := os.Rename(dir, dir+"-gone"); err != nil {
				t.Fatal(err)
			}
			c.Await(10)
			if err := os.Rename(dir+"-gone", dir); err != nil {
				t.Fatal(err)
			}
			c.AwaitAnswers(10)
		}
	})
}

func TestSaysWhatToDo(t *testing.T) {
	dir := t.TempDir()
	notDir := filepath.Join(dir, "file")
	if err := os.WriteFile(notDir, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ dir, remedy string }{
		{filepath.Join(dir, "missing"), "create the directory"},
		{notDir, "is not a directory"},
		{filepath.Join(notDir, "below"), "is not a directory"},
	} {
		_, got := file.New(test.dir).Get(t.Context(), "k")
		for _, err := range []error{got, file.New(test.dir).Put(t.Context(), "k", nil)} {
			if witness.ClassOf(err) != witness.Refused || !strings.Contains(err.Error(), test.remedy) || !strings.Contains(err.Error(), test.dir) {
				t.Errorf("in %s: %v, want class %s and %q", test.dir, err, witness.Refused, test.remedy)
			}
		}
	}
}

// A directory that vanishes says nothing about registers: it must not look
// like an empty witness.
func TestDirectoryGone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	s := file.New(dir)
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	_, err := s.Get(t.Context(), "k")
	if errors.Is(err, witness.ErrNotFound) || witness.ClassOf(err) != witness.Refused {
		t.Errorf("Get = %v, want class %s", err, witness.Refused)
	}
	if err := s.Put(t.Context(), "k", nil); witness.ClassOf(err) != witness.Refused {
		t.Errorf("Put = %v, want class %s", err, witness.Refused)
	}
}

// TestMountLost has another directory be in the place of the one that it was, as where a file system is unmounted: neither
// is what is missing there missing, nor is a write there acknowledged, before the first one is back.
func TestMountLost(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	mount := func() {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	move := func(from, to string) {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	mount()
	s := file.New(dir)
	if err := s.Put(t.Context(), "k", []byte("x")); err != nil {
		t.Fatal(err)
	}
	move(dir, dir+"-lost")
	mount()
	_, err := s.Get(t.Context(), "other")
	if errors.Is(err, witness.ErrNotFound) || witness.ClassOf(err) != witness.Refused || !strings.Contains(err.Error(), "mount the file system") {
		t.Errorf("Get = %v, want class %s and what to do", err, witness.Refused)
	}
	if err := s.Put(t.Context(), "k", []byte("y")); witness.ClassOf(err) != witness.Refused {
		t.Errorf("Put = %v, want class %s", err, witness.Refused)
	}
	move(dir, dir+"-empty")
	move(dir+"-lost", dir)
	if got, err := s.Get(t.Context(), "k"); err != nil || string(got) != "x" {
		t.Errorf("once the first one is back, Get = %q, %v; want what was written", got, err)
	}
}

func TestOversizeReadIsBounded(t *testing.T) {
	dir := t.TempDir()
	s := file.New(dir)
	if err := os.WriteFile(filepath.Join(dir, "k"), make([]byte, 10*witness.MaxRecord), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), "k")
	if err != nil || len(got) != witness.MaxRecord+1 {
		t.Errorf("Get = %d bytes, %v, want %d", len(got), err, witness.MaxRecord+1)
	}
}

func TestPutLeavesOnlyTheRegister(t *testing.T) {
	dir := t.TempDir()
	s := file.New(dir)
	for range 3 {
		if err := s.Put(t.Context(), "p/g/flag/r", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if got := names(t, dir); got != "p%2Fg%2Fflag%2Fr" {
		t.Errorf("directory holds %q, want the register alone", got)
	}
}

func TestPutRemovesOldLeftovers(t *testing.T) {
	dir := t.TempDir()
	for name, age := range map[string]time.Duration{".tmp-old": 2 * time.Hour, ".tmp-fresh": time.Minute, "register": 48 * time.Hour} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(-age)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	if err := file.New(dir).Put(t.Context(), "register", nil); err != nil {
		t.Fatal(err)
	}
	if got, want := names(t, dir), ".tmp-fresh register"; got != want {
		t.Errorf("directory holds %q, want %q", got, want)
	}
}

func TestKeyTooLong(t *testing.T) {
	s := file.New(t.TempDir())
	key := strings.Repeat("k", 256)
	if err := s.Put(t.Context(), key, nil); witness.ClassOf(err) != witness.Invalid {
		t.Errorf("Put = %v, want class %s", err, witness.Invalid)
	}
	if _, err := s.Get(t.Context(), key); witness.ClassOf(err) != witness.Invalid {
		t.Errorf("Get = %v, want class %s", err, witness.Invalid)
	}
}

// A read of a FIFO that nobody writes is a file system that hangs. More calls
// than are let through at once must all end with their contexts.
func TestHangingFileSystem(t *testing.T) {
	dir := t.TempDir()
	s := file.New(dir)
	fifo := filepath.Join(dir, "hung")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		_, err := s.Get(ctx, "hung")
		cancel()
		if witness.ClassOf(err) != witness.Unreachable {
			t.Fatalf("Get %d = %v, want class %s", i, err, witness.Unreachable)
		}
	}
	// Let the hung reads end. A writer that waits for no reader gets them all.
	w, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), "k", []byte("x")); err != nil {
		t.Errorf("Put after the file system came back: %v", err)
	}
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}
