package main

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
)

// TestDemoRefuses: what can't begin is a usage error (exit code 2), which says what is wrong.
func TestDemoRefuses(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, tt := range []struct {
		name   string
		tmpdir string
		args   []string
		want   string
	}{
		{"an argument", "", []string{"now"}, `"now"`},
		{"an unknown format", "", []string{"-o", "yaml"}, `"yaml"`},
		{"a log that can't be written", "", []string{"--log", filepath.Join(missing, "log")}, "--log"},
		{"no temporary folder", missing, nil, "TMPDIR"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.tmpdir != "" {
				t.Setenv("TMPDIR", tt.tmpdir)
			}
			cmd := root()
			cmd.SetArgs(append([]string{"demo"}, tt.args...))
			err := cmd.ExecuteContext(t.Context())
			if usage := (usageError{}); !errors.As(err, &usage) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want a usage error that names %s", err, tt.want)
			}
		})
	}
}
