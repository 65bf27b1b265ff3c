//go:build systemd

package systemd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
)

const root = "../.."

// A machine runs systemd.
type machine struct{ pid int } // of systemd, as this machine counts

// boot builds the package, and starts a machine that it is installed in, until the test ends.
func boot(t *testing.T, configuration func(publicKeys [2]string) string) *machine {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("a machine in namespaces takes root: run make systemd as root")
	}
	dir := t.TempDir()
	command := func(argv ...string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), argv[0], argv[1:]...).CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", argv, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	command("make", "-C", root, "deb", "VERSION=1.2.3", "OUT="+dir)
	debs, err := filepath.Glob(filepath.Join(dir, "*_"+runtime.GOARCH+".deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("got the packages %q, %v; want one for %s", debs, err, runtime.GOARCH)
	}
	etc := filepath.Join(dir, "etc")
	if err := os.Mkdir(etc, 0o755); err != nil {
		t.Fatal(err)
	}
	failoverd := filepath.Join(dir, "linux-"+runtime.GOARCH, "failoverd")
	keys := [2]string{
		command(failoverd, "keygen", "--out", filepath.Join(etc, "region.key")),
		command(failoverd, "keygen", "--out", filepath.Join(dir, "other.key")),
	}
	if err := os.WriteFile(filepath.Join(etc, "failoverd.yaml"), []byte(configuration(keys)), 0o644); err != nil {
		t.Fatal(err)
	}

	cgroup := fmt.Sprintf("failoverd-systemd-%d", os.Getpid())
	var output bytes.Buffer
	cmd := exec.Command("/bin/sh", "testdata/boot.sh", dir, cgroup, debs[0])
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET,
		Pdeathsig:  syscall.SIGKILL,
	}
	runtime.LockOSThread() // the signal comes when the thread ends that started it
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m := &machine{cmd.Process.Pid}
	t.Cleanup(func() {
		if t.Failed() {
			log, _ := m.run("cat", "/run/failoverd.log")
			t.Logf("the service's log:\n%s", log)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Error(err)
		}
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Logf("the machine:\n%s", &output)
		}
		remove := `mount -t cgroup2 cgroup2 /mnt && find /mnt/` + cgroup + ` -depth -type d -exec rmdir {} +`
		if out, err := exec.Command("unshare", "--mount", "sh", "-c", remove).CombinedOutput(); err != nil {
			t.Errorf("remove the cgroup: %v\n%s", err, out)
		}
	})
	return m
}

// run runs a program in the machine, and returns what it printed.
func (m *machine) run(argv ...string) (string, error) {
	in := []string{"--target", strconv.Itoa(m.pid), "--mount", "--pid", "--net", "--root", "--wd=/", "--"}
	out, err := exec.Command("nsenter", append(in, argv...)...).CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

// must is run that does not fail.
func (m *machine) must(t *testing.T, argv ...string) string {
	t.Helper()
	out, err := m.run(argv...)
	if err != nil {
		t.Fatalf("%q: %v\n%s", argv, err, out)
	}
	return out
}

// property is one of the service's, as systemd has it; empty while systemd does not answer.
func (m *machine) property(name string) string {
	out, err := m.run("systemctl", "show", "failoverd", "--value", "--property="+name)
	if err != nil {
		return ""
	}
	return out
}

// await waits until something holds.
func (m *machine) await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	daemon.Await(t, what, holds, func() string {
		return fmt.Sprintf("the service is %s, its status %q", m.property("ActiveState"), m.property("StatusText"))
	})
}
