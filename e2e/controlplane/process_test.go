package controlplane_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/e2e/controlplane"
)

// childEnv has this test binary start a plane, say where, and wait to be killed.
const childEnv = "CONTROLPLANE_TEST_CHILD"

// TestDiesWithTestBinary kills a test binary that runs a plane, and awaits that nothing of the plane runs any more.
func TestDiesWithTestBinary(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		plane := controlplane.Start(t, 1, controlplane.Options{ControllerManager: true})[0]
		fmt.Printf("\nplane %s\n", filepath.Dir(plane.Kubeconfig))
		select {}
	}

	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), childEnv+"=1", "TMPDIR="+t.TempDir())
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	dir, output := "", ""
	for lines := bufio.NewScanner(stdout); dir == "" && lines.Scan(); {
		output += lines.Text() + "\n"
		_, dir, _ = strings.Cut(lines.Text(), "plane ")
	}
	var running []string
	if dir != "" {
		running = processesOf(t, dir)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if len(running) != 3 {
		t.Fatalf("processes %q; want etcd, kube-apiserver and kube-controller-manager; output:\n%s", running, output)
	}
	await(t, "the plane dies with its test binary", func(context.Context) error {
		if running := processesOf(t, dir); len(running) != 0 {
			return fmt.Errorf("%q run", running)
		}
		return nil
	})
}

// processesOf are the command lines of the processes that name a folder.
func processesOf(tb testing.TB, dir string) []string {
	tb.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		tb.Fatal(err)
	}
	var found []string
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && bytes.Contains(line, []byte(dir+"/")) { // otherwise it has just ended
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
