//go:build systemd

package systemd_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dropIns is where the machine's systemd looks for those of the service.
const dropIns = "/run/units/failoverd.service.d/"

// restart has the service run with the drop-ins that are there.
func (m *machine) restart(t *testing.T) {
	t.Helper()
	m.must(t, "systemctl", "daemon-reload")
	m.must(t, "systemctl", "restart", "failoverd") // returns when the agent is ready, or fails
}

// write writes a file of the machine's.
func (m *machine) write(t *testing.T, path, text string) {
	t.Helper()
	m.must(t, "sh", "-c", `printf %s "$2" >"$1"`, "sh", path, text)
}

// said reports whether the service's log has a text.
func (m *machine) said(text string) bool {
	log, err := m.run("cat", "/run/failoverd.log")
	return err == nil && strings.Contains(log, text)
}

// TestOperators has a group command the service. Without the drop-in for it the agent does not start, and names it.
func TestOperators(t *testing.T) {
	m := boot(t, func(keys [2]string) string {
		return configuration(keys) + "api: {group: failoverd-operators}\n"
	})
	m.await(t, "it says how the group is made", func() bool { return m.said("groupadd --system failoverd-operators") })
	m.must(t, "groupadd", "--system", "failoverd-operators")
	m.must(t, "useradd", "--groups", "failoverd-operators", "alice")
	m.await(t, "it names the drop-in", func() bool { return m.said("systemd/operators.conf") })
	m.must(t, "cp", "/usr/share/doc/failoverd/examples/operators.conf", dropIns)
	m.restart(t)
	if got, want := m.must(t, "stat", "--format=%U %G %a", "/run/failoverd/failoverd.sock"), "failoverd failoverd-operators 660"; got != want {
		t.Errorf("the socket's user, group and mode are %s, want %s", got, want)
	}
	m.must(t, "runuser", "-u", "alice", "--", "failoverd", "pause", "--for", "1h", "--yes", "--reason", "work")
	if !m.said("user=alice") {
		t.Error("the agent does not say that it was alice")
	}
	if out, err := m.run("runuser", "-u", "nobody", "--", "failoverd", "resume", "--yes", "--reason", "work"); err == nil || !strings.Contains(out, "permission denied") {
		t.Errorf("somebody else commands: %v\n%s", err, out)
	}
}

// TestWitnessElsewhere has the witness in a directory that is not of the service's state. Without the drop-in on the page the
// service can't write there, and says what it needs.
func TestWitnessElsewhere(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/witnesses.md"))
	if err != nil {
		t.Fatal(err)
	}
	dropIn := regexp.MustCompile("`(ReadWritePaths=-(/[^`]+))`").FindStringSubmatch(string(page))
	if dropIn == nil {
		t.Fatal("the page has no drop-in")
	}
	m := boot(t, func(keys [2]string) string {
		return strings.Replace(configuration(keys), "/var/lib/failoverd/witness", dropIn[2], 1)
	})
	m.await(t, "it says that there is no directory", func() bool { return m.said("mount or make it") })
	m.must(t, "mkdir", "--parents", dropIn[2])
	m.must(t, "chown", "failoverd:", dropIn[2])
	m.await(t, "it says what it needs", func() bool { return m.said("name it in ReadWritePaths= of a drop-in") })
	m.must(t, "sh", "-c", "printf '[Service]\n"+dropIn[1]+"\n' >"+dropIns+"witness.conf")
	m.restart(t)
	m.await(t, "it is active", func() bool { return strings.HasPrefix(m.property("StatusText"), "active, epoch 1:") })
}

// TestHookOfRoot has a hook do what takes root, as the page says: sudo gains nothing, and a service of root's does it, also while
// the machine is shut down.
func TestHookOfRoot(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, "docs/install.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "### A hook that needs root\n")
	section, _, _ = strings.Cut(section, "\n## ")
	files := regexp.MustCompile("(?s)```[a-z]*\n(?:#|//) (/\\S+)\n(.*?)```").FindAllStringSubmatch(section, -1)
	if len(files) != 4 {
		t.Fatalf("the page has %d files, want 4", len(files))
	}
	m := boot(t, func(keys [2]string) string {
		return strings.NewReplacer(
			"activate: [/bin/true]", "activate: [/usr/bin/systemctl, start, edge-activate.service]",
			"fence: [/bin/true]", "fence: [/usr/bin/systemctl, start, edge-fence.service]",
		).Replace(configuration(keys))
	})
	m.await(t, "the service runs", func() bool { return m.property("StatusText") != "" })
	m.write(t, "/usr/local/sbin/edge", "#!/bin/sh\necho $1 by $(id -u) >/run/edge\n")
	m.must(t, "chmod", "+x", "/usr/local/sbin/edge")
	m.must(t, "cp", "/lib/systemd/system/dbus.socket", "/lib/systemd/system/dbus.service", "/lib/systemd/system/polkit.service", "/run/units/")
	m.write(t, dropIns+"sudo.conf", "[Service]\nNoNewPrivileges=no\n")
	for _, f := range files {
		m.write(t, strings.Replace(f[1], "/etc/systemd/system/", "/run/units/", 1), f[2])
	}
	m.restart(t)
	if status := m.must(t, "cat", "/proc/"+m.property("MainPID")+"/status"); !strings.Contains(status, "NoNewPrivs:\t1") {
		t.Errorf("what is setuid may gain something:\n%s", status)
	}
	did := func() string {
		out, err := m.run("cat", "/run/edge")
		if err != nil {
			return err.Error()
		}
		return out
	}
	m.await(t, "root has activated", func() bool { return did() == "activate by 0" })
	m.must(t, "systemctl", "start", "shutdown.target", "--job-mode=replace-irreversibly") // as a reboot begins
	if got, want := did(), "fence by 0"; got != want {
		t.Errorf("after the shutdown it is %s, want %s", got, want)
	}
}
