package systemd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/systemd"
)

// shown is what systemctl 252 prints of the unit as it is installed.
const shown = `Restart=always
RestartUSec=1s
TimeoutAbortUSec=1s
WatchdogUSec=5s
ExecStart={ path=/usr/bin/failoverd ; argv[]=/usr/bin/failoverd run --config /etc/failoverd/failoverd.yaml ; ignore_errors=no ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
ExecStopPost={ path=/usr/bin/failoverd ; argv[]=/usr/bin/failoverd fence --if-due --config /etc/failoverd/failoverd.yaml ; ignore_errors=yes ; start_time=[n/a] ; stop_time=[n/a] ; pid=0 ; code=(null) ; status=0/0 }
LoadState=loaded
`

// TestShow stands in for systemctl: where tests run no systemd does. The real one is asked in e2e/systemd.
func TestShow(t *testing.T) {
	for _, test := range []struct {
		name, script string
		found        bool
		watchdog     time.Duration
		abort        time.Duration
		err          string
	}{
		{"as installed", "cat <<'E'\n" + shown + "E", true, 5 * time.Second, time.Second, ""},
		{"without a watchdog", "cat <<'E'\n" + strings.Replace(shown, "WatchdogUSec=5s", "WatchdogUSec=infinity", 1) + "E", true, 0, time.Second, ""},
		{"long times", "cat <<'E'\n" + strings.NewReplacer("WatchdogUSec=5s", "WatchdogUSec=1min 30s 5ms", "TimeoutAbortUSec=1s", "TimeoutAbortUSec=1w 2d").Replace(shown) + "E", true, 90*time.Second + 5*time.Millisecond, 24 * time.Hour, ""},
		{"another word for a time", "cat <<'E'\n" + strings.Replace(shown, "RestartUSec=1s", "RestartUSec=soon", 1) + "E", false, 0, 0, `RestartUSec: found "soon"`},
		{"no such unit", "echo LoadState=not-found", false, 0, 0, ""},
		{"no systemd runs", "echo System has not been booted with systemd >&2; exit 1", false, 0, 0, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\n"+test.script+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
			t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
			s, found, err := systemd.Show(t.Context(), systemd.Unit)
			if found != test.found || s.Watchdog != test.watchdog || s.TimeoutAbort != test.abort || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
				t.Errorf("got %+v, %v, %v", s, found, err)
			}
			if found && (s.Restart != "always" || s.RestartDelay != time.Second || !strings.Contains(s.Command, "--config /etc/failoverd/failoverd.yaml") || !strings.Contains(s.StopPost, "fence --if-due")) {
				t.Errorf("got %+v, want what the unit says", s)
			}
		})
	}
	t.Run("no systemctl", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if _, found, err := systemd.Show(t.Context(), systemd.Unit); found || err != nil {
			t.Errorf("got %v, %v; want that there is none", found, err)
		}
	})
}
