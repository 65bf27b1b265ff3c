package clusters

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
)

// dirVariable tells the test binary that it is the hub, and which folder is its own.
const dirVariable = "FAILOVERD_CLUSTERS_DIR"

// Main runs the tests of the binary in the hub, for TestMain, and returns the exit code. If it is not 0, the logs of the
// regions are kept.
func Main(m *testing.M) int {
	if os.Getenv(dirVariable) != "" {
		if err := enterHub(); err != nil {
			fmt.Fprintf(os.Stderr, "clusters: %v\n", err)
			return 2
		}
		return m.Run()
	}
	code, err := runHub()
	if err != nil {
		fmt.Fprintf(os.Stderr, "clusters: %v\n", err)
		return 2
	}
	return code
}

// runHub starts the test binary again as the hub, waits until it has ended, and removes what it leaves.
func runHub() (code int, err error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("whole clusters need root: namespaces, mounts and cgroups; run make clusters as root")
	}
	dir, err := os.MkdirTemp("", "clusters-")
	if err != nil {
		return 0, err
	}
	defer func() {
		if code == 0 && err == nil {
			err = os.RemoveAll(dir)
			return
		}
		err = errors.Join(err, keepLogs(dir))
	}()
	roots, err := makeCgroups(dir)
	defer func() { err = errors.Join(err, removeCgroups(roots)) }()
	if err != nil {
		return 0, err
	}

	// Ctrl-C reaches the hub too, and a hub that has ended is what this process waits for.
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	hub := exec.Command("/proc/self/exe", os.Args[1:]...)
	hub.Stdout, hub.Stderr = os.Stdout, os.Stderr
	hub.Env = append(os.Environ(), dirVariable+"="+dir)
	hub.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL, // sent when the thread ends that started it; none here ends before all do
	}
	if err := hub.Start(); err != nil {
		return 0, fmt.Errorf("start the hub: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- hub.Wait() }()
	select {
	case err = <-ended:
	case <-signals:
		err = errors.Join(errors.New("interrupted"), hub.Process.Kill())
		<-ended
		return 1, err
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

// enterHub has the namespaces that the hub was started in look like ones of its own.
func enterHub() error {
	for _, m := range []struct {
		source, target, kind string
		flags                uintptr
	}{
		{"", "/", "", syscall.MS_REC | syscall.MS_PRIVATE},
		{"proc", "/proc", "proc", 0},
		{"tmpfs", "/run", "tmpfs", 0}, // for ip netns; and no socket of the machine's is there
	} {
		if err := syscall.Mount(m.source, m.target, m.kind, m.flags, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return makeBridge()
}

// keepLogs removes all but the logs of the regions, and those of their pods.
func keepLogs(dir string) error {
	kept, err := os.MkdirTemp("", "clusters-logs-")
	if err != nil {
		return err
	}
	for _, region := range regionNames {
		for _, logs := range []string{"log", "podlogs"} {
			err := os.Rename(filepath.Join(dir, region, logs), filepath.Join(kept, region+"-"+logs))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
	}
	fmt.Fprintf(os.Stderr, "clusters: the logs of the regions are in %s\n", kept)
	return os.RemoveAll(dir)
}
