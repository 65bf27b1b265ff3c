package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/lease"
)

// layer gives a configuration a hook that leaves a line for each run, unless there is a folder in the place of its file.
func layer(t *testing.T, dir, path string) (file string) {
	t.Helper()
	file = filepath.Join(dir, "layer")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, string(content)+`lease: {fence_timeout: 2s}
layers:
  hooks:
    - {name: edge, activate: [/bin/sh, -c, "echo up >>`+file+`"], fence: [/bin/sh, -c, "echo $FAILOVERD_ACTION $FAILOVERD_EPOCH $FAILOVERD_REASON >>`+file+`"]}
`)
	return file
}

// lines is what the hook has left.
func lines(t *testing.T, file string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(content)
}

// TestFence fences with no agent, and is refused beside one, or what holds its lock.
func TestFence(t *testing.T) {
	dir, path := setUp(t)
	file := layer(t, dir, path)
	// A key that is gone, such as may be why no agent starts.
	if err := os.Remove(filepath.Join(dir, "a.key")); err != nil {
		t.Fatal(err)
	}
	wants(t, must(t, "fence", "--config", path), "edge is inactive", "every layer is inactive")
	if got, want := lines(t, file), "fence 0 no_agent\n"; got != want {
		t.Errorf("the hook was told %q, want %q", got, want)
	}
	locked, err := statedir.Open(filepath.Join(dir, "state"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = failoverd(t, "fence", "--config", path)
	if err == nil || errors.As(err, &usageError{}) || !strings.Contains(err.Error(), "another failoverd") {
		t.Errorf("beside an agent: got %v, want exit code 1 and who runs", err)
	}
	wants(t, must(t, "fence", "--if-due", "--config", path), "an agent runs: nothing to do")
	locked.Close()
	if got, want := lines(t, file), "fence 0 no_agent\n"; got != want {
		t.Errorf("the hook was told %q, want no more than %q", got, want)
	}

	// A layer that can't be fenced.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file, 0o700); err != nil {
		t.Fatal(err)
	}
	out, err := failoverd(t, "fence", "--config", path)
	if err == nil || errors.As(err, &usageError{}) || !strings.Contains(err.Error(), "not every layer is inactive after fence_timeout, 2s: edge: ") {
		t.Errorf("a hook that fails: got %v and %q, want exit code 1 and why", err, out)
	}
}

// TestFenceIfDue does so only where no agent could go on.
func TestFenceIfDue(t *testing.T) {
	boot, err := agent.BootClock{}.BootID()
	if err != nil {
		t.Fatal(err)
	}
	in := func(d time.Duration) lease.Instant { return agent.BootClock{}.Now().Add(d) }
	type ended struct{ result, code, status string } // as systemd says it
	killed, couldNotBegin := ended{"signal", "killed", "KILL"}, ended{"exit-code", "exited", "2"}
	stands := lease.Authority{Epoch: 4, Deadline: in(time.Hour), BootID: boot}
	for _, tt := range []struct {
		name  string
		saved lease.Authority
		ended ended
		want  string // empty: it fences
	}{
		{"never active", lease.Authority{}, ended{}, "no authority was ever on disk: nothing to do"},
		{"never active, and could not begin", lease.Authority{}, couldNotBegin, "no authority was ever on disk: nothing to do"},
		{"nothing could be saved, and killed", lease.Authority{}, killed, ""},
		{"nothing could be saved, and failed", lease.Authority{}, ended{"exit-code", "exited", "1"}, ""},
		{"nothing could be saved, and its loop stood still", lease.Authority{}, ended{"watchdog", "exited", "2"}, ""}, // as Go ends by SIGABRT
		{"authority for long", stands, ended{}, "goes on: nothing to do"},
		{"authority for long, and killed", stands, killed, "goes on: nothing to do"},
		{"authority for long, and could not begin", stands, couldNotBegin, "goes on: nothing to do"},
		{"authority for long, and asked to stop twice", stands, ended{"success", "killed", "TERM"}, ""},
		{"authority for long, and its stop took too long", stands, ended{"timeout", "killed", "KILL"}, ""},
		{"too late to go on", lease.Authority{Epoch: 4, Deadline: in(4 * time.Second), BootID: boot}, ended{}, ""},
		{"authority has ended", lease.Authority{Epoch: 4, Deadline: in(-time.Second), BootID: boot}, ended{}, ""},
		{"an epoch that was pledged to another region", lease.Authority{Epoch: 4, Deadline: in(-time.Hour), BootID: boot}, ended{}, ""},
		{"of another boot", lease.Authority{Epoch: 4, Deadline: in(time.Hour), BootID: "another"}, ended{}, ""},
	} {
		t.Setenv("SERVICE_RESULT", tt.ended.result)
		t.Setenv("EXIT_CODE", tt.ended.code)
		t.Setenv("EXIT_STATUS", tt.ended.status)
		dir, path := setUp(t)
		file := layer(t, dir, path)
		d, err := statedir.Open(filepath.Join(dir, "state"))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.SaveAuthority(tt.saved); err != nil {
			t.Fatal(err)
		}
		d.Close()
		out := must(t, "fence", "--if-due", "--config", path)
		got := lines(t, file)
		switch {
		case tt.want != "" && (got != "" || !strings.Contains(out, tt.want)):
			t.Errorf("%s: the hook was told %q, and it says %q; want %q", tt.name, got, out, tt.want)
		case tt.want == "" && got != "fence 0 no_agent\n":
			t.Errorf("%s: the hook was told %q, and it says %q; want it fenced", tt.name, got, out)
		}
	}
	dir, path := setUp(t)
	file := layer(t, dir, path)
	// Authority that can't be read may stand.
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "state", "authority.json"), "garbage")
	must(t, "fence", "--if-due", "--config", path)
	if got := lines(t, file); got != "fence 0 no_agent\n" {
		t.Errorf("unreadable: the hook was told %q, want it fenced", got)
	}

	// systemd says that the agent has stopped by itself.
	t.Setenv("SERVICE_RESULT", "success")
	t.Setenv("EXIT_STATUS", "0")
	wants(t, must(t, "fence", "--if-due", "--config", path), "has stopped as it was asked to")
	must(t, "fence", "--config", path)
	if got := lines(t, file); got != "fence 0 no_agent\nfence 0 no_agent\n" {
		t.Errorf("stopped as asked: the hook was told %q, want it fenced by the command without --if-due alone", got)
	}
}
