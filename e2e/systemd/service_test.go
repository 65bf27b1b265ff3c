//go:build systemd

package systemd_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var freezes = flag.Int("freezes", 5, "times that the agent is frozen")

// configuration is that of a region that has authority after a while, with default times.
func configuration(keys [2]string) string {
	return fmt.Sprintf(`group: g
region: fsn
members: [fsn, hel]
witness: {type: file, file: {dir: /var/lib/failoverd/witness}}
identity:
  private_key_file: /etc/failoverd/region.key
  public_keys: {fsn: %q, hel: %q}
layers:
  hooks: [{name: edge, activate: [/bin/true], fence: [/bin/true]}]
`, keys[0], keys[1])
}

// TestService is the life of the service.
func TestService(t *testing.T) {
	m := boot(t, configuration)
	m.await(t, "it is active", func() bool { return strings.HasPrefix(m.property("StatusText"), "active, epoch 1:") })
	t.Run("hardened", func(t *testing.T) {
		status := m.must(t, "cat", "/proc/"+m.property("MainPID")+"/status")
		uid := m.must(t, "id", "-u", "failoverd")
		for _, want := range []string{
			"NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000",
			"Uid:\t" + strings.Join(slices.Repeat([]string{uid}, 4), "\t"),
		} {
			if !strings.Contains(status, want) {
				t.Errorf("the process has not %q:\n%s", want, status)
			}
		}
	})
	t.Run("check", func(t *testing.T) {
		out := m.must(t, "failoverd", "check", "--config", "/etc/failoverd/failoverd.yaml")
		for _, want := range []string{"WatchdogSec 5s + TimeoutAbortSec 1s + RestartSec 1s", "ok       ExecStopPost"} {
			if !strings.Contains(out, want) {
				t.Errorf("failoverd check does not say %q of the unit as it is installed:\n%s", want, out)
			}
		}
	})
	t.Run("reload", func(t *testing.T) {
		m.must(t, "systemctl", "reload", "failoverd") // returns when the agent has said that it has
		if log := m.must(t, "cat", "/run/failoverd.log"); !strings.Contains(log, "reload: nothing changed") {
			t.Error("the agent does not say that it has read its configuration")
		}
	})
	t.Run("frozen", func(t *testing.T) {
		var took []time.Duration
		for i := range *freezes {
			begun := time.Now()
			m.must(t, "kill", "-STOP", m.property("MainPID"))
			m.await(t, "it was started again", func() bool {
				return m.property("NRestarts") == strconv.Itoa(i+1) && strings.HasPrefix(m.property("StatusText"), "active, epoch 1:")
			})
			took = append(took, time.Since(begun))
		}
		slices.Sort(took)
		t.Logf("frozen %d times: going on with its authority again after p50 %.1f s, max %.1f s", len(took), took[len(took)/2].Seconds(), took[len(took)-1].Seconds())
		type entry struct{ To, Reason string }
		var got []entry
		for line := range strings.Lines(m.must(t, "cat", "/var/lib/failoverd/history.jsonl")) {
			var e entry
			if err := json.Unmarshal([]byte(line), &e); err != nil {
				t.Fatalf("the history: %v in %s", err, line)
			}
			if e.To != "" { // else it is a detail of the one before
				got = append(got, e)
			}
		}
		taken := slices.IndexFunc(got, func(e entry) bool { return e.To == "active" })
		if want := slices.Repeat([]entry{{"active", "resumed"}}, *freezes); !slices.Equal(got[taken+1:], want) {
			t.Errorf("after it took the lease it was\n%v, want\n%v: authority without a gap", got[taken+1:], want)
		}
	})
	t.Run("stop", func(t *testing.T) {
		m.must(t, "systemctl", "stop", "failoverd")
		if got := m.property("Result"); got != "success" {
			t.Errorf("the result of the stop is %s, want success", got)
		}
		if log := m.must(t, "cat", "/run/failoverd.log"); !strings.Contains(log, "stopped: fenced, and authority given up") {
			t.Error("the agent does not say that it has fenced")
		}
	})
	t.Run("remove", func(t *testing.T) {
		m.must(t, "systemctl", "start", "failoverd")
		m.must(t, "dpkg", "--remove", "failoverd")
		if got := m.property("ActiveState"); got != "inactive" {
			t.Errorf("without the package the service is %s, want inactive", got)
		}
	})
}
