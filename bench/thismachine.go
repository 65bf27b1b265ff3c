package bench

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// commit is the one that stood when it was first asked for.
var commit = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*").Output()
	return strings.TrimSpace(string(out)), err
})

// ThisMachine is the one that this runs on, now.
func ThisMachine(tb testing.TB) Machine {
	tb.Helper()
	m := Machine{Date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Cores: runtime.NumCPU(), Go: runtime.Version()}
	var err error
	if m.Commit, err = commit(); err != nil {
		tb.Fatalf("bench: git describe: %v", err)
	}
	cpu, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		tb.Fatalf("bench: %v", err)
	}
	if name := regexp.MustCompile(`(?m)^model name\s*: (.*)$`).FindSubmatch(cpu); name != nil { // not every architecture names it
		m.CPU = string(name[1])
	}
	var system unix.Utsname
	if err := unix.Uname(&system); err != nil {
		tb.Fatalf("bench: uname: %v", err)
	}
	m.Kernel = unix.ByteSliceToString(system.Release[:])
	load, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, err = fmt.Sscan(string(load), &m.Load)
	}
	if err != nil {
		tb.Fatalf("bench: /proc/loadavg: %v", err)
	}
	return m
}
