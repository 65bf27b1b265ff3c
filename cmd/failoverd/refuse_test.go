package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/config"
)

// setUp writes a configuration that is right, and what it names.
func setUp(t *testing.T) (dir, path string) {
	t.Helper()
	dir = t.TempDir()
	keys := make([]string, 2)
	for i, region := range []string{"a", "b"} {
		private, public, err := config.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(dir, region+".key"), string(private))
		keys[i] = public
	}
	if err := os.Mkdir(filepath.Join(dir, "witness"), 0o700); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "a.yaml")
	write(t, path, fmt.Sprintf(`group: g
region: a
members: [a, b]
witness: {type: file, file: {dir: %[1]s/witness}}
identity:
  private_key_file: %[1]s/a.key
  public_keys: {a: %[2]q, b: %[3]q}
api: {listen: "127.0.0.1:0", socket: %[1]s/socket}
state_dir: %[1]s/state
`, dir, keys[0], keys[1]))
	return dir, path
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestRefusals spoils one thing at a time: the daemon says which, as a usage
// error (exit code 2), and leaves nothing behind.
func TestRefusals(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	replace := func(t *testing.T, path, old, new string) {
		t.Helper()
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(b), old) {
			t.Fatalf("the configuration has no %q", old)
		}
		write(t, path, strings.Replace(string(b), old, new, 1))
	}
	tests := []struct {
		name  string
		spoil func(t *testing.T, dir, path string)
		want  string
	}{
		{"no configuration", func(t *testing.T, _, path string) { os.Remove(path) }, "a.yaml"},
		{"misspelled key", func(t *testing.T, _, path string) { replace(t, path, "state_dir", "state_dri") }, "state_dri"},
		{"no witness directory", func(t *testing.T, dir, _ string) { os.Remove(filepath.Join(dir, "witness")) }, "witness"},
		{"key that others can read", func(t *testing.T, dir, _ string) { os.Chmod(filepath.Join(dir, "a.key"), 0o644) }, "a.key"},
		{"another region's key", func(t *testing.T, _, path string) { replace(t, path, "a.key", "b.key") }, "b.key"},
		{"port in use", func(t *testing.T, _, path string) { replace(t, path, "127.0.0.1:0", taken.Addr().String()) }, "api.listen"},
		{"state_dir is a file", func(t *testing.T, dir, _ string) { write(t, filepath.Join(dir, "state"), "x") }, "state"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir, path := setUp(t)
			tt.spoil(t, dir, path)
			cmd := root()
			cmd.SetArgs([]string{"run", "--config", path})
			cmd.SetOut(io.Discard)
			err := cmd.ExecuteContext(t.Context())
			if usage := (usageError{}); !errors.As(err, &usage) {
				t.Fatalf("got %v, want a usage error", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %q, want it to name %q", err, tt.want)
			}
			if info, err := os.Stat(filepath.Join(dir, "state")); err == nil && info.IsDir() {
				t.Error("state_dir was made though nothing was to begin")
			}
		})
	}
}
