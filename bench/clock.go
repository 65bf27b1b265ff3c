package bench

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/root"
)

// The environment variables by which a process that is built with ClockFlags learns how fast its clocks run: by how many
// millionths too fast, and what the clocks of the machine showed when they were right.
const (
	clockPPM       = "BENCH_CLOCK_PPM"
	clockMonotonic = "BENCH_CLOCK_MONOTONIC"
	clockBoottime  = "BENCH_CLOCK_BOOTTIME"
)

// ClockFlags is what `go build` is to be told so that a program's clocks can run fast, each process's at a rate of its own: time.Now
// and all timers of the standard library, and agent/bootclock. The kernel has no clock for one process alone, so it is the standard
// library's runtime that is changed, by an overlay (`go help build`). What a program asks the kernel for itself is not changed. Where
// the environment says nothing, the clocks are right.
//
// The first build compiles everything anew, which takes minutes.
func ClockFlags(tb testing.TB) []string {
	tb.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		tb.Fatalf("bench: go env GOROOT: %v", err)
	}
	e2e, err := root.Find()
	if err != nil {
		tb.Fatalf("bench: %v", err)
	}
	runtime := filepath.Join(strings.TrimSpace(string(out)), "src", "runtime")
	bootclock := filepath.Join(filepath.Dir(e2e), "agent", "bootclock")
	files := map[string]string{
		filepath.Join(runtime, "bench_runtime.go"):     runtimeClock,
		filepath.Join(bootclock, "bench_bootclock.go"): bootClock,
	}
	change := func(folder, name, from, to string) {
		tb.Helper()
		path := filepath.Join(folder, name)
		original, err := os.ReadFile(path)
		if err != nil {
			tb.Fatalf("bench: %v", err)
		}
		if n := strings.Count(string(original), from); n != 1 {
			tb.Fatalf("bench: %s has %q %d times, want it once: the clock is read in another way there, and clock.go has to follow", path, from, n)
		}
		files[path] = strings.Replace(string(original), from, to, 1)
	}
	// What the time is, ...
	change(runtime, "time_nofake.go", "	return nanotime1()\n", "	return clockShown(nanotime1())\n")
	change(runtime, "time.go", "	return time_now()\n", `	sec, nsec, _ = time_now()
	mono = nanotime()
	wall := sec*1e9 + int64(nsec) + mono - nanotime1()
	return wall / 1e9, int32(wall % 1e9), mono
`)
	change(bootclock, "clock.go", "lease.Instant(ts.Nano())", "lease.Instant(clockShown(ts.Nano()))")
	// ... and how long the kernel is to wait.
	change(runtime, "netpoll_epoll.go", "	var waitms int32\n", "	var waitms int32\n	delay = clockWait(delay)\n")
	change(runtime, "os_linux.go", "ts.setNsec(ns)\n	futex(", "ts.setNsec(clockWait(ns))\n	futex(")
	change(bootclock, "timer.go", "int64(max(at, 1))", "clockDue(int64(max(at, 1)))")
	return daemon.Overlay(tb, files)
}

// shown is what a clock shows that runs fast, when the machine's shows t.
const shown = `
//go:nosplit
func clockShown(t int64) int64 {
	d := t - clockRight
	if clockPPM == 0 || d <= 0 {
		return t
	}
	return t + d/1e6*clockPPM + d%1e6*clockPPM/1e6
}
`

const runtimeClock = `package runtime

import "internal/strconv"

// clockPPM is by how many millionths this process's clock runs fast; clockRight is when it was right.
var clockPPM, clockRight int64

func init() {
	clockRight = clockVariable("` + clockMonotonic + `")
	clockPPM = clockVariable("` + clockPPM + `") // the last: other threads read the clock meanwhile
}

func clockVariable(name string) int64 {
	n, _ := strconv.ParseInt(gogetenv(name), 10, 64) // 0 where it is not set
	return n
}
` + shown + `
// clockWait is how long the machine takes for what this process's clock does in ns.
//
//go:nosplit
func clockWait(ns int64) int64 {
	if clockPPM == 0 || ns <= 0 {
		return ns
	}
	rate := 1e6 + clockPPM
	return max(1, ns/rate*1e6+ns%rate*1e6/rate)
}
`

const bootClock = `package bootclock

import (
	"os"
	"strconv"
)

var clockPPM, clockRight = clockVariable("` + clockPPM + `"), clockVariable("` + clockBoottime + `")

func clockVariable(name string) int64 {
	text, ok := os.LookupEnv(name)
	if !ok {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		panic(name + ": " + err.Error())
	}
	return n
}
` + shown + `
// clockDue is what the machine's clock shows when this process's comes to t, or a moment later.
func clockDue(t int64) int64 {
	d := t - clockRight
	if clockPPM == 0 || d <= 0 {
		return t
	}
	rate := 1e6 + clockPPM
	due := clockRight + d/rate*1e6 + d%rate*1e6/rate
	for clockShown(due) < t {
		due++
	}
	return due
}
`

// ClockEnv is what the environment of a process is to say so that its clocks run at a rate, which is 1 or more, from now on. A node's
// processes share one, as they would the machine's clocks.
func ClockEnv(tb testing.TB, rate float64) []string {
	tb.Helper()
	ppm := int64((rate-1)*1e6 + 0.5)
	if ppm < 0 {
		tb.Fatalf("bench: a clock at a rate of %v: it is 1 or more", rate)
	}
	env := []string{fmt.Sprintf("%s=%d", clockPPM, ppm)}
	for variable, clock := range map[string]int32{clockMonotonic: unix.CLOCK_MONOTONIC, clockBoottime: unix.CLOCK_BOOTTIME} {
		var now unix.Timespec
		if err := unix.ClockGettime(clock, &now); err != nil {
			tb.Fatalf("bench: read clock %d: %v", clock, err)
		}
		env = append(env, fmt.Sprintf("%s=%d", variable, now.Nano()))
	}
	return env
}
