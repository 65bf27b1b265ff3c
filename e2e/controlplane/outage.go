package controlplane

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// FreezeAPIServer stops kube-apiserver in its tracks: it takes connections, and answers nothing. Only for a plane that the
// test has started for itself.
func (p *Plane) FreezeAPIServer(tb testing.TB) {
	tb.Helper()
	p.signalAPIServer(tb, syscall.SIGSTOP)
}

// ThawAPIServer has a frozen kube-apiserver go on.
func (p *Plane) ThawAPIServer(tb testing.TB) {
	tb.Helper()
	p.signalAPIServer(tb, syscall.SIGCONT)
}

// KillAPIServer ends kube-apiserver for good: connections to it are reset and refused. Only for a plane that the test has
// started for itself.
func (p *Plane) KillAPIServer(tb testing.TB) {
	tb.Helper()
	pid := p.signalAPIServer(tb, syscall.SIGKILL)
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for syscall.Kill(pid, 0) == nil {
		select {
		case <-tick.C:
		case <-ctx.Done():
			tb.Fatalf("controlplane: kube-apiserver still runs: %v", ctx.Err())
		}
	}
}

func (p *Plane) signalAPIServer(tb testing.TB, s syscall.Signal) (pid int) {
	tb.Helper()
	pid, err := p.apiServerPID()
	if err == nil {
		err = syscall.Kill(pid, s)
	}
	if err != nil {
		tb.Fatalf("controlplane: send %v to kube-apiserver: %v", s, err)
	}
	return pid
}

// thaw makes sure that kube-apiserver can be stopped.
func (p *Plane) thaw() error {
	pid, err := p.apiServerPID()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil && !errors.Is(err, syscall.ESRCH) { // unless it was killed
		return fmt.Errorf("thaw kube-apiserver: %w", err)
	}
	return nil
}

// apiServerPID is the number that the script of dieWithUs wrote down.
func (p *Plane) apiServerPID() (int, error) {
	text, err := os.ReadFile(filepath.Join(p.dir, "kube-apiserver.pid"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}
