package hook

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// outputGrace is how long, after a command's process group has ended, its
// output is still waited for: only a process that left the group can keep it
// open.
const outputGrace = 100 * time.Millisecond

// run runs a command until it and every process of its group has ended, and
// kills them when ctx ends. What it writes goes to all, and its standard output
// to out as well.
func run(ctx context.Context, argv, env []string, out, all io.Writer) error {
	// Not exec.CommandContext: that kills the command alone, and reaps it before
	// its children can be killed safely.
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Env = env
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}

	// Files and not writers, so that Wait does not wait for their end.
	stdout, drainStdout, err := pipe(io.MultiWriter(out, all))
	if err != nil {
		return err
	}
	stderr, drainStderr, err := pipe(all)
	if err != nil {
		stdout.Close()
		drainStdout()
		return err
	}
	cmd.Stdout, cmd.Stderr = stdout, stderr

	exited, err := start(ctx, cmd)
	stdout.Close()
	stderr.Close()
	defer drainStderr()
	defer drainStdout()
	if err != nil {
		return err
	}

	var cause error
	select {
	case <-exited:
	case <-ctx.Done():
		cause = context.Cause(ctx)
	}
	// Until Wait the command is at least a zombie, so its number, and its
	// group's, can't have become another's.
	killErr := killGroup(cmd.Process.Pid)
	err = cmd.Wait()
	switch {
	case cause != nil && err == nil:
		// It had ended well at the very moment: the effect is there.
	case cause != nil:
		err = fmt.Errorf("killed with its children: %w", cause)
	}
	return errors.Join(err, killErr)
}

// start starts the command, unless ctx has ended, and returns a channel that is
// closed when it has exited (it is then left to Wait).
//
// Pdeathsig kills a command when the daemon dies, so that an activation that was
// under way can't land after the daemon that follows has fenced. The kernel sends
// it when the *thread* that forked ends, which Go may do to any thread that no
// goroutine is locked to; so the goroutine that forks stays locked to its thread
// for as long as the command runs. It reaches the command only, not its
// children: for those a unit's or container's cgroup is needed, which systemd
// (KillMode=control-group) and every container runtime empty.
func start(ctx context.Context, cmd *exec.Cmd) (exited <-chan struct{}, err error) {
	started := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if ctx.Err() != nil { // as late as can be: the daemon may have been frozen until now
			started <- fmt.Errorf("not started: %w", context.Cause(ctx))
			return
		}
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		waitNoReap(cmd.Process.Pid)
		close(done)
	}()
	return done, <-started
}

// waitNoReap waits until a child has exited and leaves it a zombie.
func waitNoReap(pid int) {
	for {
		err := unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if err != unix.EINTR {
			return // an error would mean that there is no such child: Wait says so then
		}
	}
}

// pipe returns a file to write to, and a function that waits until everyone has
// closed it and all has gone to w, or cuts it off after outputGrace. The caller
// closes the file first.
func pipe(w io.Writer) (file *os.File, drain func(), err error) {
	r, file, err := os.Pipe()
	if err != nil {
		return nil, nil, fmt.Errorf("open a pipe for its output: %w", err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		io.Copy(w, r) // ends at the deadline at the latest, with what came until then
	}()
	return file, func() {
		r.SetReadDeadline(time.Now().Add(outputGrace))
		<-done
		r.Close()
	}, nil
}
