package statedir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func open(t *testing.T, path string) *Dir {
	t.Helper()
	d, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestOpenCreates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "var", "failoverd")
	d := open(t, path)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := info.Mode().Perm(), fs.FileMode(0o700); got != want {
		t.Errorf("mode = %#o, want %#o", got, want)
	}
	if err := d.CheckWritable(); err != nil {
		t.Error(err)
	}
	names, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(names) != 1 || names[0].Name() != lockName {
		t.Errorf("the directory has %v, want the lock alone", names)
	}
}

func TestOpenRefuses(t *testing.T) {
	tests := []struct {
		name string
		make func(t *testing.T, path string)
		want string // PATH stands for the directory
	}{
		{"a file", func(t *testing.T, path string) { must(t, os.WriteFile(path, nil, 0o600)) },
			"create state directory PATH: not a directory; remove the file that stands in the way, or give failoverd another state_dir"},
		{"world-writable", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)); must(t, os.Chmod(path, 0o777)) },
			"open state directory PATH: everyone may write to it (mode 0777), and so forge what the region trusts; chmod 0700 it"},
		{"sticky, as /tmp", func(t *testing.T, path string) {
			must(t, os.Mkdir(path, 0o700))
			must(t, os.Chmod(path, 0o777|fs.ModeSticky))
		},
			"open state directory PATH: everyone may write to it (mode 0777), and so forge what the region trusts; chmod 0700 it"},
		{"in use", func(t *testing.T, path string) { open(t, path) },
			fmt.Sprintf("another failoverd (pid %d) uses the state directory PATH; stop it, or give this one a state_dir of its own", os.Getpid())},
		{"in use, by nobody knows whom", func(t *testing.T, path string) {
			open(t, path)
			must(t, os.WriteFile(filepath.Join(path, lockName), []byte("?"), 0o600))
		},
			"another failoverd uses the state directory PATH; stop it, or give this one a state_dir of its own"},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "state")
		tt.make(t, path)
		d, err := Open(path)
		if got, want := text(err), strings.ReplaceAll(tt.want, "PATH", path); got != want {
			t.Errorf("%s: got %q, want %q", tt.name, got, want)
		}
		if got, want := errors.Is(err, ErrInUse), strings.HasPrefix(tt.name, "in use"); got != want {
			t.Errorf("%s: is ErrInUse = %v, want %v", tt.name, got, want)
		}
		if d != nil {
			d.Close()
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Permissions do not stop root, so root plays another user here, for the files
// of this thread.
func TestOpenNotPermitted(t *testing.T) {
	path := t.TempDir()
	open(t, path).Close() // the lock is there, so it is the directory that matters
	must(t, os.Chmod(path, 0o500))
	t.Cleanup(func() { os.Chmod(path, 0o700) })
	err := asUser(t, func() error {
		d, err := Open(path)
		if err == nil {
			d.Close()
		}
		return err
	})
	if !errors.Is(err, fs.ErrPermission) || !strings.HasSuffix(text(err), path+": permission denied; let failoverd's user read and write there, or give it another state_dir") {
		t.Errorf("got %v, want permission denied, with the path and what to do", err)
	}
}

// asUser calls f with the permissions of a user who is not root.
func asUser(t *testing.T, f func() error) error {
	t.Helper()
	if os.Geteuid() != 0 {
		return f()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	must(t, unix.Setfsuid(65534))
	defer unix.Setfsuid(0)
	return f()
}

func TestCloseReleasesTheLock(t *testing.T) {
	path := t.TempDir()
	for range 3 {
		d, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A Dir stays with the directory that it locked: what is put in its place is
// not touched, and that it is gone is said.
func TestReplaced(t *testing.T) {
	tests := []struct {
		name    string
		replace func(t *testing.T, path string)
		fails   bool
	}{
		{"removed", func(t *testing.T, path string) { must(t, os.RemoveAll(path)) }, true},
		{"by a file", func(t *testing.T, path string) {
			must(t, os.RemoveAll(path))
			must(t, os.WriteFile(path, nil, 0o600))
		}, true},
		{"by another directory", func(t *testing.T, path string) {
			must(t, os.Rename(path, path+".old"))
			must(t, os.Mkdir(path, 0o700))
		}, false},
	}
	for _, tt := range tests {
		path := filepath.Join(t.TempDir(), "state")
		d := open(t, path)
		tt.replace(t, path)
		err := d.SaveAuthority(some)
		want := "save authority: create " + path + "/authority.json.tmp: no such file or directory; if the state directory was removed or moved, put it back and restart failoverd"
		if !tt.fails {
			want = ""
		}
		if got := text(err); got != want {
			t.Errorf("%s: SaveAuthority: got %q, want %q", tt.name, got, want)
		}
		if err := d.AppendHistory(entry(1)); (err != nil) != tt.fails {
			t.Errorf("%s: AppendHistory: got %v, want failure %v", tt.name, err, tt.fails)
		}
		if names, err := os.ReadDir(path); err == nil && len(names) > 0 {
			t.Errorf("%s: what took its place has %v now", tt.name, names)
		}
	}
}

// On a file system that can't be written to, Open succeeds where it has been
// used before, and CheckWritable says why not.
func TestUnwritable(t *testing.T) {
	for _, tt := range unwritable {
		path := t.TempDir()
		open(t, path).Close()
		d := open(t, path)
		tt.breakIt(d)
		want := strings.ReplaceAll(tt.want, "FILE", filepath.Join(path, probeName))
		if got := text(d.CheckWritable()); got != want {
			t.Errorf("%s: got %q, want %q", tt.name, got, want)
		}
	}
}

// unwritable are the ways in which a disk refuses. /dev/full is the kernel's
// own full disk: it fails in write, with ENOSPC.
var unwritable = []struct {
	name    string
	breakIt func(d *Dir)
	want    string // FILE stands for the file
}{
	{"full", func(d *Dir) {
		d.create = func(_ string, flag int) (*os.File, error) { return os.OpenFile("/dev/full", os.O_RDWR, 0) }
	}, "write FILE: no space left on device; free space on that file system"},
	{"full, no inode", refuse(unix.ENOSPC), "create FILE: no space left on device; free space on that file system"},
	{"over quota", refuse(unix.EDQUOT), "create FILE: disk quota exceeded; free space within the quota, or raise it"},
	{"read-only", refuse(unix.EROFS), "create FILE: read-only file system; mount that file system writable, or, under systemd, name it in ReadWritePaths= of a drop-in"},
	{"failing", refuse(unix.EIO), "create FILE: input/output error; the disk is failing: see the kernel's log, and give failoverd another state_dir"},
}

func refuse(errno unix.Errno) func(*Dir) {
	return func(d *Dir) {
		d.create = func(name string, _ int) (*os.File, error) {
			return nil, &fs.PathError{Op: "openat", Path: name, Err: errno}
		}
	}
}
