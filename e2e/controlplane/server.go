package controlplane

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// A server is a program that runs against kube-apiserver.
type server struct {
	name    string
	process *daemon.Process
}

// startServer starts a program of e2e/bin in a folder, with a few variables as its environment, and waits until ready has
// no error.
func startServer(name, dir string, env, args []string, ready func(context.Context) error) (*server, error) {
	program, err := Binary(name)
	if err != nil {
		return nil, err
	}
	argv := append([]string{"/usr/bin/env", "--chdir=" + dir}, env...)
	process, err := daemon.StartProcess(append(append(argv, program), args...)...)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	s := &server{name, process}
	if err := s.await(ready); err != nil {
		stdout, stderr := process.Output()
		_ = s.kill()
		return nil, fmt.Errorf("start %s: %w\n%s%s", name, err, stdout, stderr)
	}
	return s, nil
}

func (s *server) await(ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if !s.process.Running() {
			return fmt.Errorf("it ended before it was ready (%w)", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("it is not ready after %v: %w", startTimeout, err)
		}
	}
}

// stop kills it, and says so if it had ended by itself.
func (s *server) stop() error {
	ended := !s.process.Running()
	if err := s.kill(); err != nil {
		return fmt.Errorf("stop %s: %w", s.name, err)
	}
	if ended {
		stdout, stderr := s.process.Output()
		return fmt.Errorf("%s ended by itself:\n%s%s", s.name, stdout, stderr)
	}
	return nil
}

func (s *server) kill() error {
	_ = syscall.Kill(-s.process.PID(), syscall.SIGKILL) // the whole group; none is left if it ended by itself
	return s.process.Kill()
}
