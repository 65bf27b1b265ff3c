//go:build cgo && linux

package dcgm_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/gpu/dcgm"
)

const (
	scriptVariable = "DCGM_STAND_IN"       // where the stand-in reads what it is to say
	childVariable  = "DCGM_TEST_READ_ONCE" // this process reads once, and prints what comes
)

// TestMain runs the tests in a process that finds the stand-in where it looks for
// libdcgm.so.4: the linker reads LD_LIBRARY_PATH when a process starts.
func TestMain(m *testing.M) {
	switch {
	case os.Getenv(childVariable) != "":
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		readings, err := dcgm.Open(dcgm.Config{Interval: time.Second}).Read(ctx)
		fmt.Printf("%d readings, error: %v\n", len(readings), err)
	case os.Getenv(scriptVariable) != "":
		os.Exit(m.Run())
	default:
		os.Exit(runWithStandIn())
	}
}

func runWithStandIn() int {
	dir, err := os.MkdirTemp("", "dcgm")
	if err != nil {
		return failed(err)
	}
	defer os.RemoveAll(dir)
	if err := build(filepath.Join(dir, "whole")); err != nil {
		return failed(err)
	}
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, nil, 0o600); err != nil {
		return failed(err)
	}
	self := exec.Command(os.Args[0], os.Args[1:]...)
	self.Env = append(os.Environ(), "LD_LIBRARY_PATH="+filepath.Join(dir, "whole"), scriptVariable+"="+script)
	self.Stdout, self.Stderr = os.Stdout, os.Stderr
	if err := self.Run(); err != nil {
		return failed(err)
	}
	return 0
}

func failed(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 1
}

// build compiles the stand-in to dir/libdcgm.so.4, against the headers that go-dcgm was
// built with.
func build(dir string, flags ...string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	module, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/NVIDIA/go-dcgm").Output()
	if err != nil {
		return fmt.Errorf("find go-dcgm's headers: %w", err)
	}
	args := append([]string{"-Wall", "-Werror", "-shared", "-fPIC", "-pthread", "-Wl,-soname,libdcgm.so.4",
		"-I", filepath.Join(strings.TrimSpace(string(module)), "pkg", "dcgm"),
		"-o", filepath.Join(dir, "libdcgm.so.4"), "testdata/standin.c"}, flags...)
	if out, err := exec.Command("gcc", args...).CombinedOutput(); err != nil {
		return fmt.Errorf("build the stand-in of libdcgm.so.4 (gcc is needed: apt-get install gcc libc6-dev): %w\n%s", err, out)
	}
	return nil
}

// script makes the stand-in say something else from now on.
func script(t testing.TB, lines ...string) {
	t.Helper()
	path := os.Getenv(scriptVariable)
	if err := os.WriteFile(path+".new", []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// gpus are the lines of n GPUs of which all is well.
func gpus(n int) []string {
	lines := []string{
		fmt.Sprint("gpus ", n), "value * 203 i 55", "value * 252 i 1024", "value * 251 i 80000", "value * 150 i 41",
		"value * 155 d 123.5", "value * 100 i 1980", "value * 112 i 0", "value * 311 i 0", "value * 395 i 0", "value * 50 s NVIDIA H100 80GB HBM3",
	}
	for i := range n {
		lines = append(lines, fmt.Sprintf("value %d 54 s GPU-%08d", i, i))
	}
	return lines
}

// plus is lines and more.
func plus(lines []string, more ...string) []string {
	return append(append([]string{}, lines...), more...)
}

// open opens a source that is closed at the end of the test, when the stand-in does what
// it is told again.
func open(t testing.TB, hostEngine string) *dcgm.Source {
	s := dcgm.Open(dcgm.Config{HostEngine: hostEngine, Node: "gpu-1", Interval: 10 * time.Millisecond})
	t.Cleanup(func() {
		script(t, gpus(1)...)
		s.Close()
	})
	return s
}
