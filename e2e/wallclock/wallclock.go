package wallclock

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// variable is the environment variable that names the file with the offset.
const variable = "FAILOVERD_E2E_WALL_OFFSET"

// offset is added to the standard library's package time.
const offset = `package time

import "syscall"

// wallOffset is by how many seconds a test has set the wall clock forward.
func wallOffset() int64 {
	path, ok := syscall.Getenv("` + variable + `")
	if !ok {
		return 0
	}
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0
	}
	defer syscall.Close(fd)
	var b [32]byte
	n, _ := syscall.Read(fd, b[:])
	d, sign := int64(0), int64(1)
	for _, c := range b[:max(n, 0)] {
		switch {
		case c == '-':
			sign = -1
		case '0' <= c && c <= '9':
			d = 10*d + int64(c-'0')
		}
	}
	return sign * d
}
`

// told is where time.Now learns what time it is.
const told = "	sec, nsec, mono := runtimeNow()\n"

// Overlay makes the overlay for `go build -overlay`, in a folder of the test's own.
func Overlay(tb testing.TB) string {
	tb.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		tb.Fatalf("wallclock: go env GOROOT: %v", err)
	}
	folder, dir := filepath.Join(strings.TrimSpace(string(root)), "src", "time"), tb.TempDir()
	original, err := os.ReadFile(filepath.Join(folder, "time.go"))
	if err != nil {
		tb.Fatalf("wallclock: %v", err)
	}
	changed := strings.Replace(string(original), told, told+"	sec += wallOffset()\n", 1)
	if changed == string(original) {
		tb.Fatalf("wallclock: %s/time.go does not have the line %q: this version of Go tells the time in another way, and told has to be that", folder, strings.TrimSpace(told))
	}
	replace := map[string]string{}
	for name, content := range map[string]string{"time.go": changed, "wall_offset.go": offset} {
		replace[filepath.Join(folder, name)] = filepath.Join(dir, name)
		write(tb, filepath.Join(dir, name), content)
	}
	overlay, _ := json.Marshal(map[string]any{"Replace": replace}) // strings always can be
	path := filepath.Join(dir, "overlay.json")
	write(tb, path, string(overlay))
	return path
}

// Build builds the daemon so, and puts it at path. The race detector is left out: it would have to be compiled anew too.
func Build(tb testing.TB, path string) {
	tb.Helper()
	cmd := exec.Command("go", "build", "-buildvcs=false", "-overlay", Overlay(tb), "-o", path, "github.com/openova-io/failoverd/cmd/failoverd")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("wallclock: %s: %v\n%s", strings.Join(cmd.Args, " "), err, out)
	}
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
	// In one piece: who reads it never finds half a number.
	write(tb, c.path+".new", strconv.FormatInt(int64(by/time.Second), 10))
	if err := os.Rename(c.path+".new", c.path); err != nil {
		tb.Fatalf("wallclock: %v", err)
	}
}

func write(tb testing.TB, path, content string) {
	tb.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		tb.Fatalf("wallclock: %v", err)
	}
}
