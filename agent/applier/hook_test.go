package applier_test

import (
	"bufio"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/openova-io/failoverd/agent/applier"
	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/hook"
	"github.com/openova-io/failoverd/lease"
)

// A scene has real hooks, a real clock, and a file to which the hooks append
// what they do.
type scene struct {
	t      *testing.T
	log    string
	fifo   string // what a hook writes to it, begun reads
	events chan applier.Event
	*applier.Applier
}

func newScene(t *testing.T, hooks ...hook.Config) *scene {
	t.Helper()
	dir := t.TempDir()
	s := &scene{t: t, log: filepath.Join(dir, "log"), fifo: filepath.Join(dir, "fifo"), events: make(chan applier.Event, 1000)}
	if err := syscall.Mkfifo(s.fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	var ls []layers.Layer
	for _, c := range hooks {
		for _, argv := range [][]string{c.Activate, c.Fence} {
			for i, arg := range argv {
				argv[i] = strings.NewReplacer("LOG", s.log, "FIFO", s.fifo).Replace(arg)
			}
		}
		l, err := hook.New(c)
		if err != nil {
			t.Fatal(err)
		}
		ls = append(ls, l)
	}
	timer, err := bootclock.Clock{}.NewTimer()
	if err != nil {
		t.Fatal(err)
	}
	s.Applier = applier.New(applier.Config{
		Group: "rtz-prod", Region: "fsn", Layers: ls, Clock: bootclock.Clock{}, Timer: timer,
		Report: func(ev applier.Event) { s.events <- ev },
	})
	t.Cleanup(func() { s.Close() })
	return s
}

// begun waits until a hook has written its process id to the fifo.
func (s *scene) begun() (pid int) {
	s.t.Helper()
	f, err := os.Open(s.fifo)
	if err != nil {
		s.t.Fatal(err)
	}
	defer f.Close()
	line, err := bufio.NewReader(f).ReadString('\n')
	if err != nil {
		s.t.Fatal(err)
	}
	pid, err = strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		s.t.Fatal(err)
	}
	return pid
}

// await waits for an event of which f says that it is the one, and returns the
// attempts reported until then.
func (s *scene) await(f func(applier.Event) bool) (attempts []applier.Attempt) {
	for {
		ev := <-s.events
		if at, ok := ev.(applier.Attempt); ok {
			attempts = append(attempts, at)
		}
		if f(ev) {
			return attempts
		}
	}
}

// did compares what the hooks have done.
func (s *scene) did(want string) {
	s.t.Helper()
	got, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	if string(got) != want {
		s.t.Errorf("the hooks did %q, want %q", got, want)
	}
}

func (s *scene) gone(pid int) {
	s.t.Helper()
	b, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err == nil && !strings.Contains(string(b), ") Z ") {
		s.t.Errorf("process %d still runs", pid)
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

func sh(script string) []string { return []string{"/bin/sh", "-c", script} }

func soon(seconds float64) lease.Instant { return bootclock.Clock{}.Now() + sec(seconds) }

// slow says that it has begun, in a child too, and would have its effect in an
// hour, from the child: only a kill of the whole group keeps it from that.
const slow = `echo begun >>LOG; (sleep 3600; echo active >>LOG) & echo $! >FIFO; wait`

func TestFenceKillsActivation(t *testing.T) {
	s := newScene(t, hook.Config{Name: "edge", Activate: sh(slow), Fence: sh("echo fenced $FAILOVERD_EPOCH >>LOG")})
	s.Activate(lease.Activate{ID: 1, Epoch: 4, Deadline: soon(3600)})
	pid := s.begun()
	s.Fence(lease.Fence{ID: 2, Epoch: 5, Deadline: soon(10)})
	attempts := s.await(func(ev applier.Event) bool { return ev == applier.Done{ID: 2, Action: layers.Fence} })
	s.did("begun\nfenced 5\n")
	s.gone(pid)
	if len(attempts) != 2 || attempts[0].Outcome != applier.Superseded || attempts[1].Outcome != applier.Succeeded {
		t.Errorf("attempts are %+v, want one superseded and one that succeeded", attempts)
	}
}

// The effect of the activation comes in pieces, at any speed. Once the fence has
// had its first, none follows.
func TestNothingIsActiveAfterAFence(t *testing.T) {
	for range 5 {
		s := newScene(t, hook.Config{
			Name:     "edge",
			Activate: sh(`echo $$ >FIFO; for child in 1 2 3; do (while :; do echo active >>LOG; done) & done; wait`),
			Fence:    sh("echo fenced >>LOG"),
		})
		s.Activate(lease.Activate{ID: 1, Epoch: 4, Deadline: soon(3600)})
		s.begun()
		s.Fence(lease.Fence{ID: 2, Epoch: 5, Deadline: soon(10)})
		s.await(func(ev applier.Event) bool { return ev == applier.Done{ID: 2, Action: layers.Fence} })
		s.Close()
		b, err := os.ReadFile(s.log)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimLeft(strings.ReplaceAll(string(b), "active", ""), "\n"); got != "fenced\n" {
			t.Errorf("the log ends with %q, want the fence last", b[max(0, len(b)-40):])
		}
	}
}

func TestHookIsKilledAtDeadline(t *testing.T) {
	s := newScene(t, hook.Config{Name: "edge", Activate: sh(slow), Fence: sh("true")})
	s.Activate(lease.Activate{ID: 1, Epoch: 4, Deadline: soon(3600)})
	pid := s.begun()
	deadline := soon(0.05)
	s.Extend(deadline) // brought near only now: however slow this machine is, it has begun
	s.await(func(ev applier.Event) bool {
		at, ok := ev.(applier.Attempt)
		if ok && at.Outcome != applier.TimedOut {
			t.Errorf("got %+v, want timed_out", at)
		}
		return ok
	})
	if now := (bootclock.Clock{}).Now(); now < deadline {
		t.Errorf("killed %v before its deadline", deadline.Sub(now))
	}
	s.gone(pid)
	s.did("begun\n")
}

func TestCloseKillsHook(t *testing.T) {
	s := newScene(t, hook.Config{Name: "edge", Activate: sh(slow), Fence: sh("true")})
	s.Activate(lease.Activate{ID: 1, Epoch: 4, Deadline: soon(3600)})
	pid := s.begun()
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s.gone(pid)
	s.did("begun\n")
}

func TestHooksInOrder(t *testing.T) {
	s := newScene(t,
		hook.Config{Name: "db", Activate: sh("echo db up >>LOG"), Fence: sh("true")},
		hook.Config{Name: "edge", Activate: sh("echo edge up >>LOG"), Fence: sh("true")},
	)
	s.Activate(lease.Activate{ID: 1, Epoch: 4, Deadline: soon(60)})
	s.await(func(ev applier.Event) bool { return ev == applier.Done{ID: 1, Action: layers.Activate} })
	s.did("db up\nedge up\n")
}
