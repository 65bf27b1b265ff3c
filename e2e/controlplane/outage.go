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

	"k8s.io/client-go/kubernetes"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// FreezeAPIServer stops kube-apiserver in its tracks: it takes connections, and answers nothing. Only for a plane that the
// test has started for itself.
func (p *Plane) FreezeAPIServer(tb testing.TB) {
	tb.Helper()
	pid := p.signalAPIServer(tb, syscall.SIGSTOP)
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	if err := daemon.AwaitStopped(ctx, pid); err != nil {
		tb.Fatalf("controlplane: freeze kube-apiserver: %v", err)
	}
}

// ThawAPIServer has a frozen kube-apiserver go on.
func (p *Plane) ThawAPIServer(tb testing.TB) {
	tb.Helper()
	p.signalAPIServer(tb, syscall.SIGCONT)
}

// KillAPIServer ends kube-apiserver: connections to it are reset and refused, for good or until it is started again. Only for
// a plane that the test has started for itself.
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

// StartAPIServer starts a kube-apiserver that was killed again, as it was, and waits until it is ready. etcd has gone on, and
// all objects are there.
func (p *Plane) StartAPIServer(tb testing.TB) {
	tb.Helper()
	config := p.Config()
	config.Timeout = time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		tb.Fatalf("controlplane: %v", err)
	}
	s, err := startServer("kube-apiserver", p.dir, nil, p.apiServerArgs, func(ctx context.Context) error {
		return client.Discovery().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
	if err == nil {
		p.again = s.process
		err = os.WriteFile(p.apiServerPIDFile(), []byte(strconv.Itoa(s.process.PID())), 0o600)
	}
	if err != nil {
		tb.Fatalf("controlplane: %v", err)
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

// endAPIServer kills kube-apiserver when nobody needs it any more, frozen or not. Asked to stop, it would wait a minute for the
// requests of clients that are gone.
func (p *Plane) endAPIServer() error {
	pid, err := p.apiServerPID()
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) { // unless it was killed
		return fmt.Errorf("end kube-apiserver: %w", err)
	}
	return nil
}

// apiServerPID is the number that the script of dieWithUs wrote down, or StartAPIServer.
func (p *Plane) apiServerPID() (int, error) {
	text, err := os.ReadFile(p.apiServerPIDFile())
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

func (p *Plane) apiServerPIDFile() string { return filepath.Join(p.dir, "kube-apiserver.pid") }

// readArgs finds out how kube-apiserver was started.
func (p *Plane) readArgs() error {
	pid, err := p.apiServerPID()
	if err != nil {
		return err
	}
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	p.apiServerArgs = strings.Split(strings.TrimSuffix(string(line), "\x00"), "\x00")[1:]
	return err
}
