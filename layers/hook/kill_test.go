package hook_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/hook"
)

// A fifo carries lines from a command to the test: a read waits for the line,
// and the end comes when every process that has it open has ended.
func fifo(t *testing.T) (path string, open func() *bufio.Reader) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path, func() *bufio.Reader {
		f, err := os.Open(path) // waits for a writer
		if err != nil {
			t.Error(err)
			return bufio.NewReader(strings.NewReader(""))
		}
		t.Cleanup(func() { f.Close() })
		return bufio.NewReader(f)
	}
}

func readPID(t *testing.T, r *bufio.Reader) int {
	t.Helper()
	line, err := r.ReadString('\n')
	if err != nil {
		t.Fatalf("read a process id: %v", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("read a process id: %v", err)
	}
	return pid
}

// ended says whether a process runs no more (a zombie that init has not reaped
// yet does not).
func ended(pid int) bool {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return true
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	return strings.HasPrefix(rest, "Z") || strings.HasPrefix(rest, "X")
}

// A command, its child and its grandchild, one of which ignores SIGTERM and all
// of which keep its output open, are gone when the attempt returns.
const family = `
	trap "" TERM
	echo begun
	exec 3>"$0"
	sh -c 'sleep 1000 & echo $! >&3; echo $$ >&3; wait' &
	echo $$ >&3
	wait`

func TestKilledWithChildren(t *testing.T) {
	path, open := fifo(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	h := newHook(t, hook.Config{Activate: []string{"/bin/sh", "-c", family, path}})
	result := make(chan error)
	go func() { result <- h.Activate(ctx, order) }()

	r := open()
	pids := []int{readPID(t, r), readPID(t, r), readPID(t, r)}
	cancel(errors.New("a newer order"))
	want := "hook edge: activate: killed with its children: a newer order; its output ends: begun"
	if got := text(<-result); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for _, pid := range pids {
		if !ended(pid) {
			t.Errorf("process %d still runs after Activate returned", pid)
			syscall.Kill(pid, syscall.SIGKILL)
		}
	}
}

// A deadline in the context kills too, with nobody to cancel it.
func TestKilledAtDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // in which the command begins
	defer cancel()
	err := newHook(t, hook.Config{Fence: sh("sleep 1000")}).Fence(ctx, order)
	if want := "hook edge: fence: killed with its children: context deadline exceeded"; text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v is not context.DeadlineExceeded", err)
	}
}

func TestNotStartedAfterEnd(t *testing.T) {
	file := filepath.Join(t.TempDir(), "started")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err := newHook(t, hook.Config{Activate: []string{"touch", file}}).Activate(ctx, order)
	if want := "hook edge: activate: not started: context canceled"; text(err) != want {
		t.Errorf("got %q, want %q", text(err), want)
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("the command was started")
	}
}

// What a command leaves behind in its group is killed also when it has ended
// well: it could take effect after a fence.
func TestLeftoverIsKilled(t *testing.T) {
	path, open := fifo(t)
	h := newHook(t, hook.Config{Activate: []string{"/bin/sh", "-c", `sleep 1000 & echo $! >"$0"`, path}})
	result := make(chan error)
	go func() { result <- h.Activate(t.Context(), order) }()
	pid := readPID(t, open())
	if err := <-result; err != nil {
		t.Fatal(err)
	}
	if !ended(pid) {
		t.Errorf("process %d still runs after Activate returned", pid)
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// A process that left the group escapes, but holds nobody up, though it keeps
// the output open.
func TestEscapedHoldsNobodyUp(t *testing.T) {
	path, open := fifo(t)
	h := newHook(t, hook.Config{Activate: []string{"/bin/sh", "-c", `echo said; setsid sleep 1000 & echo $! >"$0"; sleep 1000`, path}})
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error)
	go func() { result <- h.Activate(ctx, order) }()
	pid := readPID(t, open())
	defer syscall.Kill(pid, syscall.SIGKILL)
	for comm := ""; comm != "sleep\n"; { // until it has left
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err != nil {
			t.Fatal(err)
		}
		comm = string(b)
	}
	cancel()
	if got, want := text(<-result), "hook edge: activate: killed with its children: context canceled; its output ends: said"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if ended(pid) {
		t.Error("the process that left the group was killed: say so in the package comment")
	}
}

// A command is killed when the daemon is: the daemon here is this test, run as
// a process of its own.
func TestKilledWithTheDaemon(t *testing.T) {
	path, open := fifo(t)
	daemon := exec.Command(os.Args[0], "-test.run=^TestHelperDaemon$")
	daemon.Env = append(os.Environ(), "HOOK_TEST_FIFO="+path)
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	r := open()
	pid := readPID(t, r)
	if ended(pid) {
		t.Fatalf("process %d has ended already", pid)
	}
	if err := daemon.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	daemon.Wait()
	// The command holds the fifo open for as long as it lives.
	if _, err := r.ReadByte(); err != io.EOF {
		t.Errorf("read after the command's end: %v, want EOF", err)
	}
}

func TestHelperDaemon(t *testing.T) {
	path := os.Getenv("HOOK_TEST_FIFO")
	if path == "" {
		return // run by TestKilledWithTheDaemon only
	}
	h := newHook(t, hook.Config{Activate: []string{"/bin/sh", "-c", `exec 3>"$0"; echo $$ >&3; exec sleep 1000`, path}})
	t.Fatal(h.Activate(context.Background(), layers.Order{}))
}

// Many at once, half of them called off, leave no process and no descriptor.
func TestManyAtOnce(t *testing.T) {
	descriptors := func() int {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	before := descriptors()
	h := newHook(t, hook.Config{Activate: sh("sleep 1000 & sleep 1000"), Fence: sh("true & true")})
	const n = 20
	results := make(chan error, 2*n)
	ctx, cancel := context.WithCancel(t.Context())
	for range n {
		go func() { results <- h.Activate(ctx, order) }()
	}
	for range n {
		go func() { results <- h.Fence(context.Background(), order) }()
	}
	for range n {
		if err := <-results; err != nil {
			t.Errorf("fence: %v", err)
		}
	}
	cancel()
	for range n {
		if err := <-results; !errors.Is(err, context.Canceled) {
			t.Errorf("activate: %v, want canceled", err)
		}
	}
	if after := descriptors(); after > before+2 { // the poller's own are opened once
		t.Errorf("%d open descriptors, %d before", after, before)
	}
}
