package check_test

import (
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/check"
	"github.com/openova-io/failoverd/systemd"
)

// TestFrozen judges sets of switches at default times: 20 s after the last renewal fencing has to start.
func TestFrozen(t *testing.T) {
	defaults := params("a")
	defaults.TTL, defaults.RenewInterval, defaults.FenceTimeout, defaults.Staleness = 30*time.Second, 10*time.Second, 10*time.Second, time.Minute
	unit := systemd.Service{Watchdog: 5 * time.Second, TimeoutAbort: time.Second, Restart: "always", RestartDelay: time.Second, StopPost: "failoverd fence --if-due"}
	service := func(change func(*systemd.Service)) *systemd.Service {
		s := unit
		change(&s)
		return &s
	}
	instances := defaults
	instances.TermDuration = 4 * time.Second
	for _, test := range []struct {
		name string
		f    check.Frozen
		want []string // a line each
	}{
		{"nothing", check.Frozen{}, []string{"problem  a frozen agent: nothing ends it in time"}},
		{"the file alone", check.Frozen{Elsewhere: true}, []string{"warning  a frozen agent: nothing in this file"}},
		{"in a pod", check.Frozen{Pod: true}, []string{"warning  a frozen agent: the liveness probe is not known here; it has to end the agent, and start it again, within 10s"}},
		{"the unit as installed", check.Frozen{Service: &unit}, []string{"ok       systemd's watchdog: renew_interval 10s + WatchdogSec 5s + TimeoutAbortSec 1s + RestartSec 1s + 2s to start = 19s after the last renewal, of ttl - fence_timeout 20s", "ok       ExecStopPost"}},
		{"a second more than there is", check.Frozen{Service: service(func(s *systemd.Service) { s.Watchdog += 2 * time.Second })},
			[]string{"= 21s after the last renewal, of ttl - fence_timeout 20s: too late; shorten WatchdogSec, TimeoutAbortSec or RestartSec by 1s", "ok       ExecStopPost", "problem  a frozen agent"}},
		{"as long as there is", check.Frozen{Service: service(func(s *systemd.Service) { s.Watchdog += time.Second })}, []string{"ok       systemd's watchdog", "ok       ExecStopPost"}},
		{"no WatchdogSec", check.Frozen{Service: service(func(s *systemd.Service) { s.Watchdog = 0 })}, []string{"has no WatchdogSec", "ok       ExecStopPost", "problem  a frozen agent"}},
		{"not started again", check.Frozen{Service: service(func(s *systemd.Service) { s.Restart = "on-failure" })}, []string{"has Restart=on-failure", "ok       ExecStopPost", "problem  a frozen agent"}},
		{"nothing after the end", check.Frozen{Service: service(func(s *systemd.Service) { s.StopPost = "" })}, []string{"ok       systemd's watchdog", "warning  ExecStopPost: none that fences"}},
		{"other instances make up for the unit", check.Frozen{Service: service(func(s *systemd.Service) { s.Watchdog = 0 }), Params: instances},
			[]string{"ok       other instances: renew_interval 10s + 2 longer(term_duration) 8s = 18s after the last renewal", "warning  systemd's watchdog", "ok       ExecStopPost"}},
		{"the kernel's", check.Frozen{Watchdog: 10 * time.Second}, []string{"ok       the kernel's watchdog: it resets this machine, with the layers on it, by the end of authority, 30s"}},
		{"the kernel's, of layers elsewhere", check.Frozen{Watchdog: 10 * time.Second, OnCluster: true}, []string{"warning  the kernel's watchdog", "problem  a frozen agent"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.f.Params.TTL == 0 {
				test.f.Params = defaults
			}
			got := test.f.Findings()
			if len(got) != len(test.want) {
				t.Fatalf("got %v, want %q", got, test.want)
			}
			for i, f := range got {
				if !strings.Contains(f.String(), test.want[i]) {
					t.Errorf("got  %s\nwant %s", f, test.want[i])
				}
				if f.Level != check.OK && f.Remedy == "" {
					t.Errorf("%s: no remedy", f)
				}
			}
		})
	}
}
