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
