package hook_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/hook"
)

var order = layers.Order{Group: "rtz-prod", Region: "fsn", Epoch: 7, Reason: "taken"}

func sh(script string) []string { return []string{"/bin/sh", "-c", script} }

func newHook(t *testing.T, c hook.Config) *hook.Hook {
	t.Helper()
	c.Name, c.Group, c.Region = "edge", order.Group, order.Region
	if c.Activate == nil {
		c.Activate = sh("exit 90")
	}
	if c.Fence == nil {
		c.Fence = sh("exit 91")
	}
	h, err := hook.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestNew(t *testing.T) {
	ok := sh("true")
	tests := []struct {
		config hook.Config
		want   string
	}{
		{hook.Config{Name: "edge", Activate: ok, Fence: ok}, ""},
		{hook.Config{Name: "edge", Activate: ok, Fence: ok, Observe: []string{"edge-state"}}, ""},
		{hook.Config{Activate: ok, Fence: ok}, "hook: the name is empty"},
		{hook.Config{Name: "edge", Fence: ok}, "hook edge: activate: the command is empty, want a program and its arguments"},
		{hook.Config{Name: "edge", Activate: ok}, "hook edge: fence: the command is empty, want a program and its arguments"},
		{hook.Config{Name: "edge", Activate: []string{"", "x"}, Fence: ok}, "hook edge: activate: the command is empty, want a program and its arguments"},
		{hook.Config{Name: "edge", Activate: ok, Fence: []string{"bin/down"}}, `hook edge: fence: "bin/down" is a relative path, want an absolute one or a name in PATH`},
		{hook.Config{Name: "edge", Activate: ok, Fence: ok, Observe: []string{"./state"}}, `hook edge: observe: "./state" is a relative path, want an absolute one or a name in PATH`},
	}
	for _, tt := range tests {
		_, err := hook.New(tt.config)
		if got := text(err); got != tt.want {
			t.Errorf("New(%+v): got %q, want %q", tt.config, got, tt.want)
		}
	}
}

func TestOutcome(t *testing.T) {
	tests := []struct {
		name   string
		config hook.Config
		want   string
	}{
		{"done", hook.Config{Fence: sh("exit 0")}, ""},
		{"by name", hook.Config{Fence: []string{"true"}}, ""},
		{"no shell", hook.Config{Fence: []string{"test", "$HOME", "=", "$HOME"}}, ""},
		{"failed", hook.Config{Fence: sh("exit 3")}, "hook edge: fence: exit status 3"},
		{"failed, with output", hook.Config{Fence: sh("echo to out; echo to err >&2; exit 3")}, ""},
		{"killed by itself", hook.Config{Fence: sh("kill -9 $$")}, "hook edge: fence: signal: killed"},
		{"no such program", hook.Config{Fence: []string{"/no/such/program"}}, "hook edge: fence: fork/exec /no/such/program: no such file or directory"},
		{"not in PATH", hook.Config{Fence: []string{"no-such-program"}}, `hook edge: fence: exec: "no-such-program": executable file not found in $PATH`},
		{"empty input", hook.Config{Fence: sh("test -z \"$(cat)\"")}, ""},
		{"in the root directory", hook.Config{Fence: sh(`test "$PWD" = /`)}, ""},
		{"confirmed", hook.Config{Fence: sh("true"), Observe: sh("echo inactive")}, ""},
		{"contradicted", hook.Config{Fence: sh("true"), Observe: sh("echo active")}, "hook edge: fence: exit status 0, but the observe command prints active, want inactive"},
		{"not confirmed", hook.Config{Fence: sh("true"), Observe: sh("exit 4")}, "hook edge: fence: exit status 0, but can't be confirmed: hook edge: observe: exit status 4"},
		{"not observed when failed", hook.Config{Fence: sh("exit 3"), Observe: sh("echo inactive")}, "hook edge: fence: exit status 3"},
	}
	for _, tt := range tests {
		err := newHook(t, tt.config).Fence(t.Context(), order)
		if tt.name == "failed, with output" {
			// Two streams: their order is not known.
			for _, want := range []string{"hook edge: fence: exit status 3; its output ends: ", "to out", "to err"} {
				if !strings.Contains(text(err), want) {
					t.Errorf("%s: got %q, want %q in it", tt.name, text(err), want)
				}
			}
			continue
		}
		if got := text(err); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestObserve(t *testing.T) {
	tests := []struct {
		name    string
		command []string
		want    layers.State
		err     string
	}{
		{"none", nil, layers.Unknown, ""},
		{"active", sh("echo active"), layers.Active, ""},
		{"inactive, no newline", sh("printf inactive"), layers.Inactive, ""},
		{"with blanks", sh("echo ' active  '; echo"), layers.Active, ""},
		{"with warnings on the other stream", sh("echo warning >&2; echo active"), layers.Active, ""},
		{"another word", sh("echo up"), layers.Unknown, `hook edge: observe: standard output: state "up": want active or inactive`},
		{"nothing", sh("true"), layers.Unknown, `hook edge: observe: standard output: state "": want active or inactive`},
		{"failed", sh("echo active; exit 1"), layers.Unknown, "hook edge: observe: exit status 1; its output ends: active"},
	}
	for _, tt := range tests {
		got, err := newHook(t, hook.Config{Observe: tt.command}).Observe(t.Context())
		if got != tt.want || text(err) != tt.err {
			t.Errorf("%s: got %q, %q; want %q, %q", tt.name, got, text(err), tt.want, tt.err)
		}
	}
}

func TestEnvironment(t *testing.T) {
	t.Setenv("CLOUDFLARE_API_TOKEN", "secret")
	t.Setenv("NOTIFY_SOCKET", "/run/notify")
	t.Setenv("LC_TIME", "C")
	t.Setenv("TZ", "UTC")
	file := filepath.Join(t.TempDir(), "env")
	write := []string{"/bin/sh", "-c", `env > "$0"`, file}

	ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	h := newHook(t, hook.Config{Activate: write, Fence: write, Observe: []string{"/bin/sh", "-c", `env > "$0"; echo active`, file}})
	run := map[layers.Action]func() error{
		layers.Activate: func() error { return newHook(t, hook.Config{Activate: write}).Activate(ctx, order) },
		layers.Fence:    func() error { return newHook(t, hook.Config{Fence: write}).Fence(context.Background(), order) },
		layers.Observe:  func() error { _, err := h.Observe(ctx); return err },
	}
	tests := []struct {
		action      layers.Action
		want        []string
		hasDeadline bool
	}{
		{layers.Activate, []string{"FAILOVERD_ACTION=activate", "FAILOVERD_EPOCH=7", "FAILOVERD_REASON=taken"}, true},
		{layers.Fence, []string{"FAILOVERD_ACTION=fence", "FAILOVERD_EPOCH=7", "FAILOVERD_REASON=taken", "FAILOVERD_DEADLINE="}, false},
		{layers.Observe, []string{"FAILOVERD_ACTION=observe", "FAILOVERD_EPOCH=0", "FAILOVERD_REASON="}, true},
	}
	for _, tt := range tests {
		if err := run[tt.action](); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		env := "\n" + string(b)
		for _, want := range append(tt.want, "FAILOVERD_GROUP=rtz-prod", "FAILOVERD_REGION=fsn", "LC_TIME=C", "TZ=UTC", "PATH="+os.Getenv("PATH")) {
			if !strings.Contains(env, "\n"+want+"\n") {
				t.Errorf("%s: no %s in the environment:%s", tt.action, want, env)
			}
		}
		for _, bad := range []string{"secret", "NOTIFY_SOCKET"} {
			if strings.Contains(env, bad) {
				t.Errorf("%s: %s is in the environment:%s", tt.action, bad, env)
			}
		}
		if tt.hasDeadline {
			_, left, _ := strings.Cut(env, "\nFAILOVERD_DEADLINE=")
			var s float64
			if _, err := fmt.Sscanf(left, "%f", &s); err != nil || s <= 0 || s > 3600 {
				t.Errorf("%s: FAILOVERD_DEADLINE is %.10q (%v), want seconds, at most 3600", tt.action, left, err)
			}
		}
	}
}

// However much a command writes, it is never held up, and only the end of it is
// kept.
func TestOutputIsBounded(t *testing.T) {
	h := newHook(t, hook.Config{Fence: sh("head -c 1000000 /dev/zero | tr '\\0' x; echo the end; exit 1")})
	got := text(h.Fence(t.Context(), order))
	if !strings.HasSuffix(got, "xxxthe end") || !strings.Contains(got, "ends: ...xxx") || len(got) > 5000 {
		t.Errorf("got %d bytes, %.80q...%q; want less than 5000 that say that the beginning is left out, and end with the end", len(got), got, got[max(0, len(got)-20):])
	}
}
