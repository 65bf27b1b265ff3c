package monitoring_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// The environment variables that a daemon's clocks go by which is built with [clocks]: how much faster CLOCK_BOOTTIME runs, as a
// ratio, and by how much the wall clock is ahead.
const (
	driftVariable = "FAILOVERD_E2E_DRIFT"
	wallVariable  = "FAILOVERD_E2E_WALL"
)

const drifting = `package bootclock

import (
	"math"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

var (
	drift, _ = strconv.ParseFloat(os.Getenv("` + driftVariable + `"), 64)
	began    = func() int64 {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil {
			panic(err)
		}
		return ts.Nano()
	}()
)

// drifted is what the clock shows when CLOCK_BOOTTIME shows something, and undrifted the other way round.
func drifted(ns int64) int64 { return ns + int64(float64(ns-began)*drift) }

func undrifted(ns int64) int64 {
	if drift == 0 {
		return ns
	}
	return began + int64(math.Ceil(float64(ns-began)/(1+drift)))
}
`

const walled = `package client

import (
	"os"
	"time"
)

var wall, _ = time.ParseDuration(os.Getenv("` + wallVariable + `"))

func Wall() time.Time { return time.Now().Add(wall) }
`

// clocks is what `go build` is told for daemons whose clocks can be wrong. No clock of the machine can be, for one process alone: so it is
// changed where the daemon reads CLOCK_BOOTTIME, and where it reads the wall clock for the quorum, which is all that safety and liveness
// rest on. Package wallclock changes every reading of the wall clock, and takes minutes to build.
func clocks(t *testing.T) (flags []string) {
	t.Helper()
	files := map[string]string{}
	for _, c := range []struct{ path, from, to string }{
		{"agent/bootclock/clock.go", "lease.Instant(ts.Nano())", "lease.Instant(drifted(ts.Nano()))"},
		{"agent/bootclock/timer.go", "int64(max(at, 1))", "max(undrifted(int64(at)), 1)"},
		{"agent/bootclock/drift.go", "", drifting},
		{"quorum/client/client.go", "Sent: time.Now()", "Sent: Wall()"},
		{"quorum/client/wall.go", "", walled},
		{"cmd/failoverd/quorum.go", "Now: time.Now", "Now: client.Wall"},
	} {
		path, err := filepath.Abs(filepath.Join(root, c.path))
		if err != nil {
			t.Fatal(err)
		}
		if c.from == "" {
			files[path] = c.to
			continue
		}
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Count(string(source), c.from) != 1 {
			t.Fatalf("%s does not say %q, once: the clock is read in another way now", c.path, c.from)
		}
		files[path] = strings.Replace(string(source), c.from, c.to, 1)
	}
	return daemon.Overlay(t, files)
}
