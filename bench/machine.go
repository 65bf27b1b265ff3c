package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// A machine is what a node runs on that consists of more processes than one: they are in a namespace of their own, so that all die
// at once. It is the part of a [Node] that is the same for all such systems. Tests have to be root to have one.
type machine struct {
	tb   testing.TB
	name string

	// argv is a command that goes on to run, in the same process, what is appended to it; none is one too.
	argv []string

	// script is what a shell runs, with its arguments: it prepares the machine, starts the agent in the background, and waits. It is
	// the init of the machine, and adopts what the agent leaves behind.
	script string
	args   []string

	mu      sync.Mutex
	process *daemon.Process // of unshare, which ends with the machine; nil before it is started
}

// Name is what the system calls it.
func (m *machine) Name() string { return m.name }

// Start boots it.
func (m *machine) Start() {
	m.tb.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	argv := append([]string{}, m.argv...)
	argv = append(argv, "/usr/bin/unshare", "--mount", "--ipc", "--pid", "--mount-proc", "--fork", "--kill-child", "/bin/sh", "-euc", m.script, "sh")
	p, err := daemon.StartProcess(append(argv, m.args...)...)
	if err != nil {
		m.tb.Fatalf("bench: start %s: %v", m.name, err)
	}
	m.process = p
	m.tb.Cleanup(func() {
		m.kill(p)
		p.CleanUp(m.tb, m.name)
	})
}

// Kill has all of its processes die.
func (m *machine) Kill() {
	m.tb.Helper()
	m.kill(m.running())
}

// kill ends the init of a machine: the kernel ends all others of it before that is done.
func (m *machine) kill(p *daemon.Process) {
	m.tb.Helper()
	if init := m.firstChild(p, p.PID()); init != 0 {
		if err := unix.Kill(init, unix.SIGKILL); err != nil && err != unix.ESRCH {
			m.tb.Fatalf("bench: kill %s: %v", m.name, err)
		}
	}
	<-p.Exited()
}

// Freeze stops the agent, and nothing that it has started.
func (m *machine) Freeze() {
	m.tb.Helper()
	pid := m.agent()
	err := unix.Kill(pid, unix.SIGSTOP)
	if err == nil {
		err = daemon.AwaitStopped(m.tb.Context(), pid)
	}
	if err != nil {
		m.tb.Fatalf("bench: freeze the agent of %s: %v", m.name, err)
	}
}

// Thaw has the agent go on.
func (m *machine) Thaw() {
	m.tb.Helper()
	if err := unix.Kill(m.agent(), unix.SIGCONT); err != nil {
		m.tb.Fatalf("bench: thaw the agent of %s: %v", m.name, err)
	}
}

// Usage is of the agent.
func (m *machine) Usage() Usage {
	m.tb.Helper()
	proc, err := procfs.NewProc(m.agent())
	if err != nil {
		m.tb.Fatalf("bench: the agent of %s: %v", m.name, err)
	}
	stat, err := proc.Stat()
	if err != nil {
		m.tb.Fatalf("bench: the agent of %s: %v", m.name, err)
	}
	return Usage{RSS: int64(stat.ResidentMemory()), CPU: time.Duration(stat.CPUTime() * float64(time.Second))}
}

// running is the process that stands for the machine.
func (m *machine) running() *daemon.Process {
	m.tb.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.process == nil || !m.process.Running() {
		m.tb.Fatalf("bench: %s does not run", m.name)
	}
	return m.process
}

// agent is the number of the agent's process: the first child of the machine's init.
func (m *machine) agent() int {
	m.tb.Helper()
	p := m.running()
	pid := 0
	if init := m.firstChild(p, p.PID()); init != 0 {
		pid = m.firstChild(p, init)
	}
	if pid == 0 {
		m.tb.Fatalf("bench: the agent of %s has ended", m.name)
	}
	return pid
}

// firstChild waits until a process has children, and is the first of them; 0 if the machine has ended. Those that it adopts come later.
func (m *machine) firstChild(p *daemon.Process, of int) (child int) {
	m.tb.Helper()
	daemon.Await(m.tb, fmt.Sprintf("process %d of %s has a child", of, m.name), func() bool {
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", of))
		if first, _, has := strings.Cut(string(children), " "); err == nil && has {
			child, _ = strconv.Atoi(first)
			return true
		}
		return !p.Running()
	})
	return child
}
