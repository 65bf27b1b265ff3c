package gpu

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

// TestOff has the daemon run without a GPU, without DCGM, without cgo, without a cluster: it runs, and one line says what is
// off. A cluster that pods are to be evicted in and that nobody has named is an error, in one line too.
func TestOff(t *testing.T) {
	group := daemon.NewGroup(t, daemon.Build(t, true), daemon.DefaultTimes("fsn", "hel"), nil)
	r := group.Regions[0]
	withCgo := group.Binaries.Daemon
	withoutCgo := filepath.Join(t.TempDir(), "failoverd")
	goRun(t, []string{"CGO_ENABLED=0"}, "build", "-buildvcs=false", "-o", withoutCgo, "./cmd/failoverd")
	noGPUs := wrapped(t, withCgo, standIn(t, "gpus 0\n"))
	nobody := "kubernetes: {kubeconfig: " + kubeconfigOfNobody(t) + "}\n"
	const watch = "gpu:\n  enabled: true\n  poll_interval: 100ms\n"
	const noSource = "the source of GPUs fails: of them nothing is known soon, and nothing is done: source=dcgm error="
	for _, tt := range []struct {
		name, binary, sections string
		line                   string            // that one line of the log has
		off                    func(status) bool // what status says once that is known
	}{
		{"DCGM", withCgo, watch, noSource, func(s status) bool { return strings.Contains(s.GPUs.Trouble, "libdcgm.so.4") }},
		{"cgo", withoutCgo, watch, noSource + `"DCGM is not in this build of failoverd, which was built without cgo`, func(s status) bool { return strings.Contains(s.GPUs.Trouble, "not in this build") }},
		{"a GPU", noGPUs, watch, "the source of GPUs has no GPU: none is watched: source=dcgm", func(s status) bool { return s.GPUs.Trouble == "" }},
		{"a cluster that answers", withCgo, "gpu:\n  enabled: true\n  source: none\n  evict: {}\n" + nobody, `evictions from GPUs: state="list nodes: Get`, func(s status) bool { return strings.Contains(s.Evictions.Trouble, "list nodes") }},
		{"the section's word", withCgo, "gpu: {enabled: false}\n", "GPUs are not watched, as the section gpu says: enabled=false", func(status) bool { return true }},
	} {
		t.Run("without "+tt.name, func(t *testing.T) {
			group.Binaries.Daemon = tt.binary
			r.Configure(t, "", tt.sections)
			p := r.Start(t)
			awaitStatus(t, r, "it runs without "+tt.name, tt.off)
			await(t, "it runs on", func(ctx context.Context) error {
				s, err := r.Status(ctx)
				if err == nil && s.State != lease.Standby {
					err = fmt.Errorf("it is %s", s.State)
				}
				return err
			})
			end(t, p)
			_, log := p.Output()
			checkLine(t, log, tt.line)
		})
	}
	t.Run("without a cluster that is named", func(t *testing.T) {
		group.Binaries.Daemon = withCgo
		r.Configure(t, "", watch+"  evict: {}\n")
		code, text, err := r.CLI(t.Context(), "run")
		if err != nil || code != 2 {
			t.Errorf("got exit code %d, %v, want 2", code, err)
		}
		checkLine(t, text, "kubernetes.kubeconfig is not set, and this is no pod of a cluster")
	})
}

// checkLine wants one line of a text to have something.
func checkLine(t *testing.T, text, want string) {
	t.Helper()
	var found []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, want) {
			found = append(found, strings.TrimSpace(line))
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d lines have %s, want one:\n%s", len(found), want, text)
	}
	t.Log(found[0])
}

// end asks a daemon to stop, and waits until it has.
func end(t *testing.T, p *daemon.Process) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	if err := p.Terminate(); err != nil {
		t.Fatal(err)
	}
	if code, err := p.Wait(ctx); err != nil || code != 0 {
		t.Errorf("it ended with exit code %d, %v", code, err)
	}
}

// goRun runs the go command in the daemon's module, and returns what it prints.
func goRun(t *testing.T, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = filepath.Join("..", "..")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// standIn builds the stand-in of libdcgm.so.4, which says what a script has it say. It returns the environment in which it
// is found.
func standIn(t *testing.T, script string) (env []string) {
	t.Helper()
	dir := t.TempDir()
	headers := filepath.Join(goRun(t, nil, "list", "-m", "-f", "{{.Dir}}", "github.com/NVIDIA/go-dcgm"), "pkg", "dcgm")
	out, err := exec.CommandContext(t.Context(), "gcc", "-shared", "-fPIC", "-pthread", "-Wl,-soname,libdcgm.so.4", "-I", headers,
		"-o", filepath.Join(dir, "libdcgm.so.4"), filepath.Join("..", "..", "gpu", "dcgm", "testdata", "standin.c")).CombinedOutput()
	if err != nil {
		t.Fatalf("build the stand-in of libdcgm.so.4 (gcc is needed: apt-get install gcc libc6-dev): %v\n%s", err, out)
	}
	path := filepath.Join(dir, "script")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"LD_LIBRARY_PATH=" + dir, "DCGM_STAND_IN=" + path}
}

// wrapped is a program that runs another one in an environment.
func wrapped(t *testing.T, program string, env []string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "failoverd")
	text := fmt.Sprintf("#!/bin/sh\nexec env %s %s \"$@\"\n", strings.Join(env, " "), program)
	if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// kubeconfigOfNobody is of an API server that is not there: nobody listens at the discard port.
func kubeconfigOfNobody(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	const text = `apiVersion: v1
kind: Config
clusters: [{name: x, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: x, user: {}}]
contexts: [{name: x, context: {cluster: x, user: x}}]
current-context: x
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
