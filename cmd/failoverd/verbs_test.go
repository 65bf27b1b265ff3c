package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/check"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/lease"
)

// failoverd runs one verb in this process.
func failoverd(t *testing.T, args ...string) (out string, err error) {
	t.Helper()
	var b bytes.Buffer
	cmd := root()
	cmd.SetArgs(args)
	cmd.SetOut(&b)
	cmd.SetErr(&b)
	err = cmd.ExecuteContext(t.Context())
	return b.String(), err
}

// must runs a verb that is to succeed.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, err := failoverd(t, args...)
	if err != nil {
		t.Fatalf("failoverd %q: %v\n%s", args, err, out)
	}
	return out
}

// mustJSON runs a verb with -o json.
func mustJSON(t *testing.T, into any, args ...string) {
	t.Helper()
	out := must(t, append(args, "-o", "json")...)
	if err := json.Unmarshal([]byte(out), into); err != nil {
		t.Fatalf("failoverd %q: %v\n%s", args, err, out)
	}
}

func wants(t *testing.T, out string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(out, part) {
			t.Errorf("there is no %q in:\n%s", part, out)
		}
	}
}

// TestCheckRefuses: every file of config/testdata has one defect.
func TestCheckRefuses(t *testing.T) {
	files, err := filepath.Glob("../../config/testdata/*.yaml")
	if err != nil || len(files) < 100 {
		t.Fatalf("got %d files, %v; want all defects", len(files), err)
	}
	for _, file := range files {
		out, err := failoverd(t, "check", "--offline", "--config", file)
		if usage := (usageError{}); !errors.As(err, &usage) || out != "" {
			t.Errorf("%s: got %v and %q, want a usage error alone", file, err, out)
		}
	}
	t.Logf("%d files, each refused", len(files))
}

func TestCheck(t *testing.T) {
	files, err := filepath.Glob("../../config/testdata/valid/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("got %d files, %v; want some", len(files), err)
	}
	for _, file := range files {
		out := must(t, "check", "--offline", "--config", file)
		var result struct {
			SafetyHash string `json:"safety_hash"`
			Bounds     []struct {
				Name, Formula string
				Seconds       float64
			}
		}
		mustJSON(t, &result, "check", "--offline", "--config", file)
		want, says := 7, "nothing is handed over"
		cfg, err := config.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		if cfg.Quorum != nil {
			want, says = 8, "The hand-over is counted from" // it is among the bounds
		}
		wants(t, out, says)
		for _, w := range cfg.AllWitnesses() {
			line, _, _ := strings.Cut(out, "\n")
			wants(t, line, w.Name, w.Type)
		}
		if len(result.Bounds) != want {
			t.Errorf("%s: got %d bounds, want %d", file, len(result.Bounds), want)
		}
		for _, b := range result.Bounds {
			wants(t, out, b.Name, "= "+b.Formula)
			if b.Seconds <= 0 && b.Name != "turn" {
				t.Errorf("%s: %s is %g s", file, b.Name, b.Seconds)
			}
		}
		wants(t, out, "is valid", result.SafetyHash)
	}
	file, err := os.ReadFile("../../config/testdata/valid/minimal-s3.yaml")
	if err != nil {
		t.Fatal(err)
	}
	quiet := filepath.Join(t.TempDir(), "quiet.yaml")
	write(t, quiet, string(file)+"layers: {hooks: [{name: edge, activate: [/bin/true], fence: [/bin/true]}]}\n")
	noNull(t, "check", "--offline", "--config", quiet) // it has no warning
	// Without --offline, what the file names must be there.
	_, path := setUp(t)
	must(t, "check", "--config", path)
	if err := os.Remove(filepath.Join(filepath.Dir(path), "a.key")); err != nil {
		t.Fatal(err)
	}
	if _, err := failoverd(t, "check", "--config", path); err == nil || !strings.Contains(err.Error(), "a.key") {
		t.Errorf("got %v, want that a.key is missing", err)
	}
}

// TestCheckLive asks the witness of a group that has never run, and writes nothing to it. Package check
// tests what else can be found.
func TestCheckLive(t *testing.T) {
	dir, path := setUp(t)
	out, err := failoverd(t, "check", "--live", "--config", path)
	if err == nil || errors.As(err, &usageError{}) || err.Error() != "check --live: 1 of 6 findings are problems" {
		t.Errorf("got %v, want exit code 1 for the one problem", err)
	}
	wants(t, out, "is valid", "\nok       witness: all records were read in ", "\nwarning  info record of a: none", "\nproblem  info record of b: none", "\nok       flag of b: none", "\nok       witness: the slowest of 20 rounds of reads took ")
	out, err = failoverd(t, "check", "--live", "--config", path, "-o", "json")
	var result struct {
		SafetyHash string          `json:"safety_hash"`
		Live       []check.Finding `json:"live"`
	}
	if json.Unmarshal([]byte(out), &result) != nil || err == nil || result.SafetyHash == "" || len(result.Live) != 6 || result.Live[2].Level != check.Problem {
		t.Errorf("-o json: got %+v, %v", result, err)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "witness")); err != nil || len(entries) > 0 {
		t.Errorf("it has left %v in the witness, %v", entries, err)
	}
}

// ender ends a context once a text has been written to it.
type ender struct {
	bytes.Buffer
	text string
	end  func()
}

func (e *ender) Write(p []byte) (int, error) {
	n, err := e.Buffer.Write(p)
	if strings.Contains(e.String(), e.text) {
		e.end()
	}
	return n, err
}

// TestMeasureEnds: who has seen enough ends a measurement, and gets what there is of it. Package check tests what is
// measured.
func TestMeasureEnds(t *testing.T) {
	_, path := setUp(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &ender{text: "the slowest of 20 rounds", end: cancel} // which is the last thing before it
	cmd := root()
	cmd.SetArgs([]string{"check", "--live", "--config", path, "--measure", "24h"})
	cmd.SetOut(out)
	cmd.SetErr(out)
	if err := cmd.ExecuteContext(ctx); err == nil || err.Error() != "check --live: 1 of 7 findings are problems" {
		t.Errorf("got %v, want exit code 1 for the problem that is none of the measurement", err)
	}
	wants(t, out.String(), "\nwarning  staleness of the witness: in 0s 0 reads, and 0 records replaced by newer ones; so nothing is known of how stale they were; ")
}

// noNull runs a command with -o json, and wants a list that has nothing in it to be [], so that scripts can go through it.
func noNull(t *testing.T, args ...string) {
	t.Helper()
	if out := must(t, append(args, "-o", "json")...); strings.Contains(out, ": null") {
		t.Errorf("%s: there is null in\n%s", args[0], out)
	}
}

// TestDaemonVerbs asks a real agent, which is alone and so a standby.
func TestDaemonVerbs(t *testing.T) {
	_, path := setUp(t)
	if _, err := failoverd(t, "history", "--config", path); err == nil || !strings.Contains(err.Error(), "no agent has started") {
		t.Errorf("before the first start, history says %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	d, err := prepare(ctx, path, instance{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	d.log.SetLevel(0)
	address := d.listen.Addr().String()
	server := &http.Server{Handler: d.agent.Handler(), ReadHeaderTimeout: time.Second}
	go server.Serve(d.listen)
	ended := make(chan error, 1)
	go func() { ended <- d.agent.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		server.Close()
		d.close()
	}()

	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	await := func(what string, is func() bool) {
		t.Helper()
		for !is() {
			select {
			case <-tick.C:
			case <-limit.C:
				t.Fatalf("it does not come to this: %s", what)
			}
		}
	}
	var status agent.Status
	await("the agent is a standby", func() bool {
		mustJSON(t, &status, "status", "--config", path, "--address", address)
		return status.State == lease.Standby
	})
	wants(t, must(t, "status", "--config", path, "--address", address),
		"a of group g is standby", "no authority; last known holder: nobody yet", "PEER", "b", "none seen", "its info record has never been seen",
		"LAYER", "none", "witness answers; staleness bound 0.0 s")
	explained := must(t, "explain", "--config", path, "--address", address)
	wants(t, explained, "It takes over when all of these hold:", "[yes] own layers fenced", "[no ] every member seen (b)", "--member-absent REGION",
		"[no ] leases can have run out", "opens in", "at the earliest")
	for _, g := range status.Gates {
		wants(t, explained, g.Title, g.Text)
	}
	mustJSON(t, &agent.Status{}, "explain", "--config", path, "--address", address)
	noNull(t, "status", "--config", path, "--address", address) // it has no alarm, and no layer

	await("the newest of the history is to standby", func() bool { // it is written after the status says so
		var entries []statedir.Entry
		mustJSON(t, &entries, "history", "--config", path, "--limit", "1")
		return len(entries) == 1 && entries[0].To == lease.Standby
	})
	wants(t, must(t, "history", "--config", path), "TIME", "fencing", "starting", "standby", "fenced")
}

func TestWrongUse(t *testing.T) {
	_, path := setUp(t)
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>")) }))
	defer page.Close()
	address := func(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }
	const usage, failed = true, false
	for _, tt := range []struct {
		args  []string
		usage bool
		says  []string
	}{
		{[]string{"status", "--address", "127.0.0.1:1"}, failed, []string{"127.0.0.1:1", "is `failoverd run` running here"}},
		{[]string{"explain", "--address", address(other)}, failed, []string{"404", "is that failoverd?"}},
		{[]string{"status", "--address", address(page)}, failed, []string{"is no status", "is that failoverd?"}},
		{[]string{"status", "--config", "/nonexistent.yaml"}, usage, []string{"/nonexistent.yaml"}},
		{[]string{"history", "--config", "/nonexistent.yaml"}, usage, []string{"/nonexistent.yaml"}},
		{[]string{"status", "-o", "yaml"}, usage, []string{`"yaml"`, "text or json"}},
		{[]string{"run", "now"}, usage, []string{"takes no arguments", "now"}},
		{[]string{"run", "--forever"}, usage, []string{"--forever", "failoverd run --help"}},
		{[]string{"run", "--config", path, "--member-absent", "z"}, usage, []string{"member-absent", `"z"`}},
		{[]string{"simulate", "--config", path, "--duration", "1s"}, usage, []string{"too short", "want at least"}},
		{[]string{"simulate", "--config", path, "--replay", "1", "-o", "json"}, usage, []string{"--replay", "-o json"}},
		{[]string{"check", "--live", "--offline"}, usage, []string{"--live", "--offline"}},
		{[]string{"check", "--config", path, "--measure", "10m"}, usage, []string{"--live too"}},
		{[]string{"check", "--config", path, "--live", "--measure", "59s"}, usage, []string{"--measure is 59s, want 1m to 24h"}},
		{[]string{"check", "--config", path, "--live", "--measure", "-10m"}, usage, []string{"want 1m to 24h"}},
		{[]string{"check", "--config", path, "--live", "--measure", "0s"}, usage, []string{"want 1m to 24h"}},
		{[]string{"check", "--config", path, "--live", "--measure", "ten"}, usage, []string{"ten"}},
		{[]string{"keygen"}, usage, []string{"--out"}},
		{[]string{"keygen", "--out", path}, usage, []string{"is there already"}},
		{[]string{"demo", "--log", "/nonexistent/log"}, usage, []string{"--log", "/nonexistent/log"}},
		{[]string{"stats"}, usage, []string{`"stats"`, "did you mean status?"}},
	} {
		t.Run(strings.Join(tt.args, " "), func(t *testing.T) {
			out, err := failoverd(t, tt.args...)
			if err == nil {
				t.Fatalf("it succeeds:\n%s", out)
			}
			if got := errors.As(err, &usageError{}); got != tt.usage {
				t.Errorf("a usage error: %v, want %v", got, tt.usage)
			}
			wants(t, err.Error(), tt.says...)
			if strings.Count(err.Error(), "\n") > 0 || out != "" {
				t.Errorf("got %q and %q, want one line", err, out)
			}
		})
	}
}

func TestSimulate(t *testing.T) {
	_, path := setUp(t)
	wants(t, must(t, "simulate", "--config", path, "--seeds", "4"), "4 worlds", "deaths of the holder: gap p50", "0 violations", "simulated seconds per second")
	var result struct {
		Worlds     int      `json:"worlds"`
		Violations []string `json:"violations"`
	}
	mustJSON(t, &result, "simulate", "--config", path, "--seeds", "2")
	if result.Worlds != 2 || len(result.Violations) > 0 {
		t.Errorf("got %+v, want 2 worlds and no violation", result)
	}
	wants(t, must(t, "simulate", "--config", path, "--replay", "1"), "candidate", "active", "fencing")
}

func TestKeygen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "region.key")
	public := strings.TrimSpace(must(t, "keygen", "--out", path))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got %v, %v; want a file with mode 0600", info, err)
	}
	if len(public) != 44 {
		t.Errorf("got the public key %q, want 32 bytes in base64", public)
	}
}

func TestVersion(t *testing.T) {
	wants(t, must(t, "version"), version)
	var result map[string]any
	mustJSON(t, &result, "version")
	if len(result) == 0 {
		t.Error("-o json says nothing")
	}
}

// TestHelp: every verb says what it is for, with an example.
func TestHelp(t *testing.T) {
	for _, cmd := range root().Commands() {
		if cmd.Short == "" || cmd.Long == "" && cmd.Name() != "version" || cmd.Example == "" && cmd.Name() != "version" {
			t.Errorf("%s has no help: %q, %q, %q", cmd.Name(), cmd.Short, cmd.Long, cmd.Example)
		}
	}
}
