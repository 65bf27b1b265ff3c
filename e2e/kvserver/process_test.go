package kvserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// awaitGone waits until no process of the group runs.
func awaitGone(t *testing.T, group int) {
	t.Helper()
	deadline := time.NewTimer(stopTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for {
		members, err := groupMembers(group)
		if err != nil {
			t.Fatal(err)
		}
		if len(members) == 0 {
			return
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			t.Fatalf("processes %v of group %d still run", members, group)
		}
	}
}

func TestStopLeavesNoProcess(t *testing.T) {
	group := 0
	t.Run("server", func(t *testing.T) {
		group = Start(t).process.cmd.Process.Pid
		members, err := groupMembers(group)
		if err != nil || len(members) < 4 { // the shell, node, and two workerd at least
			t.Errorf("processes of the running server: %v, %v; want four or more", members, err)
		}
	})
	if members, err := groupMembers(group); err != nil || len(members) != 0 {
		t.Errorf("processes after the test: %v, %v; want none", members, err)
	}
}

const orphanEnv = "KVSERVER_TEST_ORPHAN"

// TestKilledTestLeavesNoProcess kills a test binary that has a server running: it gets no chance to clean up.
func TestKilledTestLeavesNoProcess(t *testing.T) {
	if os.Getenv(orphanEnv) != "" { // this is the one to be killed
		// Not from t.TempDir: nobody would remove it.
		fmt.Println("group", Start(t).process.cmd.Process.Pid)
		_, _ = io.Copy(io.Discard, os.Stdin)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), orphanEnv+"=1", "TMPDIR="+t.TempDir())
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var output strings.Builder
	group := 0
	lines := bufio.NewScanner(io.TeeReader(stdout, &output))
	for group == 0 && lines.Scan() {
		_, _ = fmt.Sscanf(lines.Text(), "group %d", &group) // most lines are others
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if group == 0 {
		t.Fatalf("the other test started no server:\n%s", output.String())
	}
	awaitGone(t, group)
}

func TestInstalledIn(t *testing.T) {
	for name, stamp := range map[string]string{"not installed": "", "stale": "0123"} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			err := errors.Join(
				os.Mkdir(filepath.Join(root, "node_modules"), 0o700),
				os.WriteFile(filepath.Join(root, "package-lock.json"), []byte("{}"), 0o600))
			if stamp != "" {
				err = errors.Join(err, os.WriteFile(filepath.Join(root, stampFile), []byte(stamp), 0o600))
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := installedIn(root); !errors.Is(err, errNotInstalled) || !strings.Contains(err.Error(), "run e2e/setup.sh") {
				t.Errorf("error %v; want one that says to run e2e/setup.sh", err)
			}
		})
	}
}

// TestEarlyExit has wrangler end before it serves: the reason must be in the error and in the output, and at once.
func TestEarlyExit(t *testing.T) {
	root, err := FindInstallation()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := writeProject(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "project/wrangler.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := startProcess(root, dir)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.waitReady(t.Context())
	if err == nil || !strings.Contains(err.Error(), "exit status") {
		t.Errorf("waitReady: %v; want the exit status", err)
	}
	if err := p.stop(); err != nil {
		t.Errorf("stop: %v", err)
	}
	if out := p.output(); !strings.Contains(out, "wrangler.json") {
		t.Errorf("output does not name the file that is wrong:\n%s", out)
	}
}
