// Package refuse starts the daemon with one thing wrong at a time, as a user would, against Cloudflare's own KV code:
// it is to say in one line what is wrong, where, and what to do, to end with exit code 2, and to have begun nothing.
package refuse

import (
	"context"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

const exitUsage = 2

// params are the defaults, with Workers KV.
var params = lease.Params{
	Members: []lease.Region{"fsn", "hel"},
	TTL:     30 * time.Second, RenewInterval: 10 * time.Second, RetryInterval: 2 * time.Second, PollInterval: 2 * time.Second,
	RequestTimeout: 5 * time.Second, FenceTimeout: 10 * time.Second, MaxClockDrift: 0.002, Staleness: time.Minute,
}

func TestRefusals(t *testing.T) {
	group := daemon.NewGroup(t, daemon.Build(t, true), params, nil)
	srv := group.Server
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()

	edit := func(from, to string) func(*testing.T, *daemon.Region) {
		return func(t *testing.T, r *daemon.Region) {
			yaml := r.YAML()
			if !strings.Contains(yaml, from) {
				t.Fatalf("the configuration has no %q", from)
			}
			write(t, r.ConfigFile(), strings.Replace(yaml, from, to, 1))
		}
	}
	tests := []struct {
		name  string
		spoil func(*testing.T, *daemon.Region)
		says  []string // what is wrong, where, what to do
	}{
		{"no configuration", func(t *testing.T, r *daemon.Region) { must(t, os.Remove(r.ConfigFile())) },
			[]string{"failoverd.yaml", "no such file"}},
		{"no YAML", edit("region: fsn", "region: [fsn"), []string{"failoverd.yaml"}},
		{"unknown key", edit("state_dir:", "state_dri:"), []string{"failoverd.yaml:", "state_dri"}},
		{"unsafe times", edit("ttl: 30s", "ttl: 12s"), []string{"failoverd.yaml:", "lease.ttl", "12s"}},
		{"not a member", edit("region: fsn", "region: nbg"), []string{"failoverd.yaml:", "nbg", "members"}},
		{"wrong token", func(t *testing.T, r *daemon.Region) { write(t, r.Path("token"), strings.Repeat("x", 40)+"\n") },
			[]string{"token", "cloudflare"}},
		{"empty token", func(t *testing.T, r *daemon.Region) { write(t, r.Path("token"), "\n") }, []string{"token", "empty"}},
		{"no token", func(t *testing.T, r *daemon.Region) { must(t, os.Remove(r.Path("token"))) }, []string{"token", "does not exist"}},
		{"token that others can read", func(t *testing.T, r *daemon.Region) { must(t, os.Chmod(r.Path("token"), 0o644)) },
			[]string{"token", "chmod 600"}},
		{"key that others can read", func(t *testing.T, r *daemon.Region) { must(t, os.Chmod(r.KeyFile(), 0o640)) },
			[]string{"region.key", "chmod 600"}},
		{"wrong account", edit(srv.AccountID, strings.Repeat("a", 32)), []string{"account"}},
		{"wrong namespace", edit(srv.NamespaceID, strings.Repeat("b", 32)), []string{"namespace"}},
		{"port in use", edit("127.0.0.1:0", taken.Addr().String()), []string{"api.listen", "in use"}},
		{"no such address", edit("127.0.0.1:0", "192.0.2.1:9470"), []string{"api.listen", "192.0.2.1"}},
		{"state_dir is a file", func(t *testing.T, r *daemon.Region) { write(t, r.StateDir(), "") }, []string{"state_dir", "directory"}},
		{"hook that is not there", edit(group.Binaries.Layer, "/nonexistent/hook"), []string{"/nonexistent/hook", "layers.hooks"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := group.Regions[0]
			restore(t, group)
			tt.spoil(t, r)
			p, err := daemon.StartProcess(group.Binaries.Daemon, "run", "--config", r.ConfigFile())
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			code, err := p.Wait(ctx)
			if err != nil {
				t.Errorf("it goes on: %v", err)
			}
			_ = p.Kill()
			stdout, stderr := p.Output()
			t.Logf("%s", stderr)
			if code != exitUsage || stdout != "" {
				t.Errorf("got exit code %d and %q on standard output, want %d and nothing", code, stdout, exitUsage)
			}
			for _, want := range tt.says {
				if !strings.Contains(strings.ToLower(stderr), strings.ToLower(want)) {
					t.Errorf("it does not say %q", want)
				}
			}
			if strings.Contains(stderr, srv.Token) {
				t.Error("it tells the token")
			}
			if _, err := os.Stat(r.Path("state/history.jsonl")); err == nil {
				t.Error("it began: there is a history")
			}
			if runs, err := r.HookRuns(); err != nil || len(runs) > 0 {
				t.Errorf("it ran hooks: %v, %v", runs, err)
			}
		})
	}
	restore(t, group) // and it was these alone that were wrong
	group.Regions[0].Start(t)
}

// restore undoes what a test has spoiled.
func restore(t *testing.T, g *daemon.Group) {
	t.Helper()
	r := g.Regions[0]
	must(t, os.RemoveAll(r.StateDir()))
	write(t, r.ConfigFile(), r.YAML())
	write(t, r.Path("token"), g.Server.Token+"\n")
	must(t, os.Chmod(r.Path("token"), 0o600))
	must(t, os.Chmod(r.KeyFile(), 0o600))
}

func write(t *testing.T, path, content string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(content), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
