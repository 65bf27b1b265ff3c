package packaging_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the daemon's module.
const root = "../.."

// run runs a program, and returns all that it wrote.
func run(t *testing.T, argv ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// readFile returns a file of the daemon's module.
func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// installUnit writes the unit file, and drop-ins, as they are but for the program's path, since failoverd is not installed here.
func installUnit(t *testing.T, dropIns ...string) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Fatal("systemd-analyze is missing; run e2e/setup.sh, or install Debian's package systemd")
	}
	dir := t.TempDir()
	unit := filepath.Join(dir, "failoverd.service")
	text := strings.Replace(readFile(t, "systemd/failoverd.service"), "ExecStart=/usr/bin/failoverd", "ExecStart=/bin/true", 1)
	if err := os.WriteFile(unit, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(unit+".d", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range dropIns {
		if err := os.WriteFile(filepath.Join(unit+".d", filepath.Base(name)), []byte(readFile(t, name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return unit
}

// TestUnit has systemd read the unit, which says of each line that it does not understand.
func TestUnit(t *testing.T) {
	for name, dropIns := range map[string][]string{"plain": nil, "port 53": {"systemd/port-53.conf"}, "operators": {"systemd/operators.conf"}} {
		t.Run(name, func(t *testing.T) {
			out, err := run(t, "systemd-analyze", "verify", "--man=no", "--recursive-errors=no", installUnit(t, dropIns...))
			if err != nil || out != "" {
				t.Errorf("systemd-analyze verify: %v\n%s\nwant no word", err, out)
			}
		})
	}
}

// TestExposure holds the unit to what systemd says of its hardening, in tenths: 100 is none. What is left is the network, the
// sockets, and the boot id in /proc.
func TestExposure(t *testing.T) {
	for name, tt := range map[string]struct {
		threshold string
		dropIns   []string
	}{"plain": {"11", nil}, "port 53": {"15", []string{"systemd/port-53.conf"}}, "operators": {"15", []string{"systemd/operators.conf"}}} {
		t.Run(name, func(t *testing.T) {
			out, err := run(t, "systemd-analyze", "security", "--offline=true", "--no-pager", "--threshold="+tt.threshold, installUnit(t, tt.dropIns...))
			if err != nil {
				t.Fatalf("systemd-analyze security: %v\n%s", err, out)
			}
			lines := strings.Split(strings.TrimSpace(out), "\n")
			t.Log(lines[len(lines)-1])
		})
	}
}

// TestSysusers has systemd make the unit's user.
func TestSysusers(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "systemd-sysusers", "--root="+dir, filepath.Join(mustAbs(t, root), "systemd/failoverd.sysusers")); err != nil {
		t.Fatalf("systemd-sysusers: %v\n%s", err, out)
	}
	passwd, err := os.ReadFile(filepath.Join(dir, "etc/passwd"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(readFile(t, "systemd/failoverd.service"), "\nUser=failoverd\n") || !strings.HasPrefix(string(passwd), "failoverd:") {
		t.Errorf("the users made are\n%s, want the unit's, failoverd", passwd)
	}
}

func mustAbs(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}
