package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/check"
)

// systemctl stands in for systemd's on this machine: it knows a unit that runs a configuration.
func systemctl(t *testing.T, config, watchdog string) {
	t.Helper()
	dir := t.TempDir()
	script := fmt.Sprintf(`#!/bin/sh
cat <<E
LoadState=loaded
ExecStart={ path=/usr/bin/failoverd ; argv[]=/usr/bin/failoverd run --config %s ; }
ExecStopPost={ path=/usr/bin/failoverd ; argv[]=/usr/bin/failoverd fence --if-due --config %s ; }
Restart=always
RestartUSec=1s
TimeoutAbortUSec=1s
WatchdogUSec=%s
E
`, config, config, watchdog)
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
}

// TestRuns: whose configuration is it that a unit runs with?
func TestRuns(t *testing.T) {
	for command, want := range map[string]bool{
		"{ path=/usr/bin/failoverd ; argv[]=/usr/bin/failoverd run ; ignore_errors=no ; }":                                             true,
		"{ path=/usr/bin/failoverd ; argv[]=/usr/bin/failoverd run --member-absent hel ; ignore_errors=no ; }":                         true,
		"{ path=/usr/bin/failoverd ; argv[]=/usr/bin/failoverd run --config /etc/failoverd/failoverd.yaml ; ignore_errors=no ; }":      true,
		"{ path=/usr/bin/failoverd ; argv[]=/usr/bin/failoverd run -c /etc/failoverd/failoverd.yaml.new ; ignore_errors=no ; }":        false,
		"{ path=/usr/bin/failoverd ; argv[]=/usr/bin/failoverd run --instance a --config=/etc/failoverd/b.yaml ; ignore_errors=no ; }": false,
		"{ path=/bin/true ; argv[]=/bin/true ; ignore_errors=no ; }":                                                                   false,
	} {
		if got := runs(command, defaultConfig); got != want {
			t.Errorf("%s: got %v, want %v", command, got, want)
		}
	}
}

// TestCheckFrozen: check says no to a configuration with layers that stay active for as long as the agent is frozen.
func TestCheckFrozen(t *testing.T) {
	_, path := setUp(t)
	yaml, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(yaml)+"layers: {hooks: [{name: edge, activate: [/bin/true], fence: [/bin/true]}]}\n")
	for _, test := range []struct {
		name, config, watchdog string
		ok                     bool
		want                   string
	}{
		{"the unit that comes with it", path, "5s", true, "ok       systemd's watchdog"},
		{"too late", path, "30s", false, "too late"},
		{"another configuration's", "/etc/failoverd/other.yaml", "5s", false, "nothing ends it in time"},
	} {
		t.Run(test.name, func(t *testing.T) {
			systemctl(t, test.config, test.watchdog)
			out, err := failoverd(t, "check", "--config", path)
			wants(t, out, "is valid", test.want)
			if (err == nil) != test.ok || errors.As(err, &usageError{}) {
				t.Errorf("got %v, want exit code 1: %v", err, !test.ok)
			}
			if _, err := failoverd(t, "check", "--live", "--config", path); !test.ok && !strings.Contains(err.Error(), "check --live: 2 of") {
				t.Errorf("check --live: got %v, want a second problem", err)
			}
			var result struct{ Frozen []check.Finding }
			mustJSON(t, &result, "check", "--offline", "--config", path)
			if len(result.Frozen) != 1 || result.Frozen[0].Level != check.Warning {
				t.Errorf("offline got %v, want a warning", result.Frozen)
			}
		})
	}
}
