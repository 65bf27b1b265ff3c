package wallclock

import (
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// variable is the environment variable that names the file with the offset.
const variable = "FAILOVERD_E2E_WALL_OFFSET"

// offset is added to the standard library's package time. The file is mapped into memory: time.Now is called where nothing may be
// allocated, and no system call made.
const offset = `package time

import (
	"syscall"
	"unsafe"
)

// wall points to by how many seconds a test has set the wall clock forward; nil: none does.
var wall *int64

func init() {
	path, ok := syscall.Getenv("` + variable + `")
	if !ok {
		return
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		panic("` + variable + `: " + path + ": " + err.Error())
	}
	b, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("` + variable + `: " + path + ": " + err.Error())
	}
	wall = (*int64)(unsafe.Pointer(&b[0]))
}

func wallOffset() int64 {
	if wall == nil {
		return 0
	}
	return *wall
}
`

// told is where time.Now learns what time it is.
const told = "	sec, nsec, mono := runtimeNow()\n"

// Overlay is what `go build` is to be told.
func Overlay(tb testing.TB) (flags []string) {
	tb.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		tb.Fatalf("wallclock: go env GOROOT: %v", err)
	}
	folder := filepath.Join(strings.TrimSpace(string(root)), "src", "time")
	original, err := os.ReadFile(filepath.Join(folder, "time.go"))
	if err != nil {
		tb.Fatalf("wallclock: %v", err)
	}
	changed := strings.Replace(string(original), told, told+"	sec += wallOffset()\n", 1)
	if changed == string(original) {
		tb.Fatalf("wallclock: %s/time.go does not have the line %q: this version of Go tells the time in another way, and told has to be that", folder, strings.TrimSpace(told))
	}
	return daemon.Overlay(tb, map[string]string{filepath.Join(folder, "time.go"): changed, filepath.Join(folder, "wall_offset.go"): offset})
}

// A Clock is the wall clock of the processes that are told of it.
type Clock struct{ path string }

// New is a clock that is right.
func New(tb testing.TB) Clock {
	c := Clock{filepath.Join(tb.TempDir(), "offset")}
	c.Set(tb, 0)
	return c
}

// Env is what a process's environment has to say.
func (c Clock) Env() string { return variable + "=" + c.path }

// Set sets the clock forward, or back, from the right time on. It counts whole seconds.
func (c Clock) Set(tb testing.TB, by time.Duration) {
	tb.Helper()
	file, err := os.OpenFile(c.path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		_, err = file.Write(binary.NativeEndian.AppendUint64(nil, uint64(by/time.Second))) // in place: it is mapped
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		tb.Fatalf("wallclock: %v", err)
	}
}
