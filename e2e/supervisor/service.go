// Package supervisor stands in for systemd, for tests that run the agent as its unit file has it run, many times over and with times
// of their own: Type=notify, WatchdogSec, TimeoutAbortSec, Restart=always, RestartSec, TimeoutStartSec and ExecStopPost. The real
// one runs the real package in e2e/systemd.
//
// What a unit says beside these is left out: the sandbox, TimeoutStopSec, which no Service here comes to, and KillMode, for a hook
// that the agent leaves behind.
package supervisor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/systemd/notifytest"
)

// An Event is something that a Service has done, or seen.
type Event struct {
	At   lease.Instant
	What string
	Late time.Duration // by how much later it was done than the unit has it: this process was not run, on a busy machine
}

// A Service is one that runs. Its methods may be called by any goroutine.
type Service struct {
	unit     Unit
	manager  *notifytest.Manager
	messages chan []string
	stop     context.CancelFunc
	ended    chan struct{}

	mu     sync.Mutex
	events []Event
	runs   []*daemon.Process // of ExecStart
	posts  []*daemon.Process // of ExecStopPost
	broken error             // why nothing could be run
}

// Start starts a service, which goes on until the test ends.
func Start(tb testing.TB, name string, unit Unit) *Service {
	tb.Helper()
	s := &Service{unit: unit, manager: notifytest.Listen(tb), messages: make(chan []string, 64), ended: make(chan struct{})}
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	var both sync.WaitGroup
	both.Go(func() { s.listen(ctx) })
	both.Go(func() {
		defer close(s.ended)
		s.run(ctx)
	})
	tb.Cleanup(func() {
		s.stop()
		both.Wait()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.broken != nil {
			tb.Errorf("supervisor: %s: %v", name, s.broken)
		}
		for n, p := range s.runs {
			p.CleanUp(tb, fmt.Sprintf("run %d of %s", n+1, name))
		}
		for n, p := range s.posts {
			p.CleanUp(tb, fmt.Sprintf("ExecStopPost %d of %s", n+1, name))
		}
		if tb.Failed() {
			for _, e := range s.events {
				tb.Logf("supervisor: %s: %d: %s (late by %v)", name, e.At, e.What, e.Late)
			}
		}
	})
	return s
}

// Process is the last run of the service, nil before the first.
func (s *Service) Process() *daemon.Process {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.runs) == 0 {
		return nil
	}
	return s.runs[len(s.runs)-1]
}

// Die has the machine die: what runs of the service is killed, and nothing is started again.
func (s *Service) Die() error {
	s.stop()
	<-s.ended
	s.mu.Lock()
	running := slices.Concat(s.runs, s.posts)
	s.mu.Unlock()
	var err error
	for _, p := range running {
		err = errors.Join(err, p.Kill())
	}
	return err
}

// Ended is closed when the service has ended, and is not started again.
func (s *Service) Ended() <-chan struct{} { return s.ended }

// Events are those from an instant on.
func (s *Service) Events(since lease.Instant) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.events), func(e Event) bool { return e.At < since })
}

func (s *Service) note(late time.Duration, format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, Event{now(), fmt.Sprintf(format, args...), late})
}

func now() lease.Instant { return bootclock.Clock{}.Now() }

// listen takes what the service says.
func (s *Service) listen(ctx context.Context) {
	for ctx.Err() == nil {
		message, err := s.manager.Receive(100 * time.Millisecond)
		if err != nil {
			return // the test has ended
		}
		if message == nil {
			continue
		}
		select {
		case s.messages <- message:
		case <-ctx.Done():
		}
	}
}

// run starts the service again and again.
func (s *Service) run(ctx context.Context) {
	for {
		for len(s.messages) > 0 { // what the run before had to say yet
			<-s.messages
		}
		p, err := s.execute(s.unit.Start, &s.runs, "NOTIFY_SOCKET="+s.manager.Socket, s.watchdogUSec())
		if err != nil {
			return
		}
		s.note(0, "started: process %d", p.PID())
		result := s.follow(ctx, p)
		if ctx.Err() != nil {
			return
		}
		s.note(0, "ended: %s", strings.Join(result, " "))
		if len(s.unit.StopPost) > 0 {
			post, err := s.execute(s.unit.StopPost, &s.posts, result...)
			if err != nil {
				return
			}
			code, err := post.Wait(ctx)
			if err != nil {
				return
			}
			out, _ := post.Output()
			s.note(0, "ExecStopPost: exit code %d: %s", code, strings.TrimSpace(out))
		}
		if !s.unit.Restart {
			return
		}
		due := now().Add(s.unit.RestartDelay)
		select {
		case <-time.After(s.unit.RestartDelay):
			s.note(now().Sub(due), "to be started again")
		case <-ctx.Done():
			return
		}
	}
}

// execute starts a program with an environment.
func (s *Service) execute(argv []string, into *[]*daemon.Process, environment ...string) (*daemon.Process, error) {
	p, err := daemon.StartProcess(slices.Concat([]string{"/usr/bin/env"}, environment, argv)...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.broken = err
		return nil, err
	}
	*into = append(*into, p)
	return p, nil
}

func (s *Service) watchdogUSec() string {
	if s.unit.Watchdog == 0 {
		return "WATCHDOG_USEC=" // is none
	}
	return "WATCHDOG_USEC=" + strconv.FormatInt(s.unit.Watchdog.Microseconds(), 10)
}

// follow watches over a run until it has ended, and returns what systemd.exec(5) has ExecStopPost be told.
func (s *Service) follow(ctx context.Context, p *daemon.Process) []string {
	result, ready := "", false
	var due lease.Instant
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	within := func(d time.Duration) {
		timer.Stop()
		if d > 0 {
			due = now().Add(d)
			timer.Reset(d)
		}
	}
	within(s.unit.TimeoutStart)
	for {
		select {
		case message := <-s.messages:
			switch {
			case result != "":
			case !ready && slices.Contains(message, "READY=1"):
				ready = true
				s.note(0, "ready")
				within(s.unit.Watchdog)
			case ready && slices.Contains(message, "WATCHDOG=1"):
				within(s.unit.Watchdog)
			}
		case <-timer.C:
			late := now().Sub(due)
			var err error
			switch {
			case len(s.messages) > 0: // is looked at first
				timer.Reset(0)
			case !ready:
				result = "timeout"
				s.note(late, "it is not ready in time: SIGKILL")
				err = p.Kill()
			case result == "":
				result = "watchdog"
				s.note(late, "it does not ping: SIGABRT")
				err = p.Abort()
				within(s.unit.TimeoutAbort)
			default:
				s.note(late, "it does not end: SIGKILL")
				err = p.Kill()
			}
			if err != nil {
				s.note(0, "%v", err)
			}
		case <-p.Exited():
			return outcome(result, p)
		case <-ctx.Done():
			return nil
		}
	}
}

// outcome is how a run ended, as systemd says it.
func outcome(result string, p *daemon.Process) []string {
	status := p.State().Sys().(syscall.WaitStatus)
	code, exit := "exited", strconv.Itoa(status.ExitStatus())
	if status.Signaled() {
		code, exit = "killed", strings.TrimPrefix(unix.SignalName(status.Signal()), "SIG")
	}
	switch {
	case result != "":
	case status.Signaled():
		result = "signal"
	case status.ExitStatus() != 0:
		result = "exit-code"
	default:
		result = "success"
	}
	return []string{"SERVICE_RESULT=" + result, "EXIT_CODE=" + code, "EXIT_STATUS=" + exit}
}
