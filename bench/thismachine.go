package bench

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ThisMachine is the one that this runs on, now.
func ThisMachine(tb testing.TB) Machine {
	tb.Helper()
	m := Machine{Date: time.Now().UTC().Format("2006-01-02 15:04 UTC"), Cores: runtime.NumCPU(), Go: runtime.Version()}
	commit, err := exec.CommandContext(tb.Context(), "git", "describe", "--always", "--dirty", "--exclude=*").Output()
	if err != nil {
		tb.Fatalf("bench: git describe: %v", err)
	}
	m.Commit = strings.TrimSpace(string(commit))
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
