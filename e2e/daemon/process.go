package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// startingLine is how the daemon says, in text logs, that it runs and where.
var startingLine = regexp.MustCompile(`starting: .*\bapi=(\S+)`)

// A Process is one run of the daemon. Its methods may be used concurrently.
type Process struct {
	cmd    *exec.Cmd
	ready  chan string   // gets the address of the API, once
	exited chan struct{} // closed when it has ended; state is set then
	state  *os.ProcessState

	mu     sync.Mutex
	stdout bytes.Buffer
	stderr bytes.Buffer
	found  bool // the address was seen
}

// StartProcess starts a program and returns at once.
func StartProcess(argv ...string) (*Process, error) {
	p := &Process{ready: make(chan string, 1), exited: make(chan struct{})}
	p.cmd = exec.Command(argv[0], argv[1:]...)
	p.cmd.Stdout = output{p, &p.stdout}
	p.cmd.Stderr = output{p, &p.stderr}
	// Nothing of the developer's environment, but for what a hook may need.
	p.cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent", "TMPDIR=" + os.TempDir()}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		// The kernel sends Pdeathsig when the thread that forked ends, so that has to stay for as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = p.cmd.Wait() // how it ended is in its state
		p.state = p.cmd.ProcessState
		close(p.exited)
	}()
	return p, <-started
}

// output collects what the process writes, and picks the address from it.
type output struct {
	p   *Process
	buf *bytes.Buffer
}

func (o output) Write(b []byte) (int, error) {
	o.p.mu.Lock()
	defer o.p.mu.Unlock()
	n, err := o.buf.Write(b)
	if !o.p.found && o.buf == &o.p.stderr {
		if m := startingLine.FindSubmatch(o.buf.Bytes()); m != nil {
			o.p.found = true
			o.p.ready <- string(m[1])
		}
	}
	return n, err
}

// Output is what the process has written to its standard output and error so far.
func (p *Process) Output() (stdout, stderr string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stdout.String(), p.stderr.String()
}

// PID is the number of the process.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// WaitReady waits until the daemon says where its API is.
func (p *Process) WaitReady(ctx context.Context) (address string, err error) {
	select {
	case address := <-p.ready:
		return address, nil
	case <-p.exited:
		_, stderr := p.Output()
		return "", fmt.Errorf("it ended (%v) before it ran:\n%s", p.state, stderr)
	case <-ctx.Done():
		_, stderr := p.Output()
		return "", fmt.Errorf("it has not said that it runs: %w\n%s", ctx.Err(), stderr)
	}
}

// Wait waits until the process has ended, and returns its exit code: -1 if a signal ended it.
func (p *Process) Wait(ctx context.Context) (int, error) {
	select {
	case <-p.exited:
		return p.state.ExitCode(), nil
	case <-ctx.Done():
		return 0, fmt.Errorf("process %d has not ended: %w", p.PID(), ctx.Err())
	}
}

// Kill ends the process with SIGKILL and waits until it is gone.
func (p *Process) Kill() error {
	if err := p.signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.exited
	return nil
}

// Abort ends the process with SIGABRT, as systemd does with one that it has heard nothing of: it has SIGCONT follow, without which one
// that is frozen would not take it.
func (p *Process) Abort() error {
	return errors.Join(p.signal(syscall.SIGABRT), p.signal(syscall.SIGCONT))
}

// Terminate asks the process to stop.
func (p *Process) Terminate() error { return p.signal(syscall.SIGTERM) }

// Reload asks the process to read its configuration again.
func (p *Process) Reload() error { return p.signal(syscall.SIGHUP) }

// Freeze stops the process in its tracks, and returns when it stands still.
func (p *Process) Freeze(ctx context.Context) error {
	if err := p.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return AwaitStopped(ctx, p.PID())
}

// AwaitStopped waits until all threads of a process that was sent SIGSTOP stand still: a moment after the signal
// one of them may answer yet.
func AwaitStopped(ctx context.Context, pid int) error {
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if still, err := stopped(pid); still || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("process %d does not stand still: %w", pid, ctx.Err())
		}
	}
}

// stopped reports whether all threads of a process are.
func stopped(pid int) (bool, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err == nil && len(threads) == 0 {
		err = fmt.Errorf("process %d is gone", pid)
	}
	if err != nil {
		return false, err
	}
	for _, thread := range threads {
		stat, err := os.ReadFile(thread)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) { // it has ended since
			continue
		}
		if err != nil {
			return false, err
		}
		if i := bytes.LastIndexByte(stat, ')'); i < 0 || !bytes.ContainsAny(stat[i:i+3], "TZX") { // stopped, or ended

			return false, nil
		}
	}
	return true, nil
}

// Thaw has a frozen process go on.
func (p *Process) Thaw() error { return p.signal(syscall.SIGCONT) }

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// State is how the process has ended, nil while it has not.
func (p *Process) State() *os.ProcessState {
	if p.Running() {
		return nil
	}
	return p.state
}

// Running reports whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// CleanUp kills the process, fails the test if there was a data race in it, and shows what it said if the test failed.
func (p *Process) CleanUp(tb testing.TB, what string) {
	if err := p.Kill(); err != nil {
		tb.Errorf("daemon: stop %s: %v", what, err)
	}
	stdout, stderr := p.Output()
	if strings.Contains(stderr, "DATA RACE") {
		tb.Errorf("daemon: a data race in %s", what)
	}
	if tb.Failed() {
		tb.Logf("daemon: %s (process %d, %v):\n%s%s", what, p.PID(), p.state, stdout, stderr)
	}
}

func (p *Process) signal(s syscall.Signal) error {
	// os.Process sends nothing to a process that has been waited for, whose number may be another's by now.
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to process %d: %w", s, p.PID(), err)
	}
	return nil
}
