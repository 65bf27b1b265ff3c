package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/lease"
)

// TestInterrupted: who stops waiting for what an operation comes to is told that it goes on, and not that it is late.
func TestInterrupted(t *testing.T) {
	f, path := startFakeAgent(t)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	f.asked = func(commands int) {
		if commands > 0 {
			interrupt()
		}
	}
	var out strings.Builder
	cmd := root()
	cmd.SetArgs([]string{"switchover", "--config", path, "--to", "b", "--yes", "--reason", "november", "-o", "json"})
	cmd.SetOut(&out)
	cmd.SetErr(&out)
	err := cmd.ExecuteContext(ctx)
	const want = "interrupted: it goes on; failoverd explain says how far it is"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	var told progress
	if err := json.Unmarshal([]byte(out.String()), &told); err != nil || told.Outcome != want || told.Done {
		t.Errorf("-o json: %v, want the outcome %q:\n%s", err, want, &out)
	}
}

// TestPromptInterrupted: Ctrl-C at a prompt ends the command, whatever is typed or not.
func TestPromptInterrupted(t *testing.T) {
	for _, prompt := range []string{"Why? ", "Go on? "} {
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		in, typed, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer typed.Close()
		cmd := &cobra.Command{}
		flags := operatorFlagsOf(cmd)
		if prompt == "Go on? " {
			*flags.reason = "november"
		}
		cmd.SetContext(ctx)
		cmd.SetIn(in)
		cmd.SetOut(&ender{text: prompt, end: interrupt})
		const want = "interrupted: nothing was done"
		if _, err := flags.consent(cmd); err == nil || err.Error() != want {
			t.Errorf("%s: got %v, want %s", prompt, err, want)
		}
	}
}

// TestDrillInterrupted: a drill that is interrupted says what becomes of what is lent, and takes no step for late.
func TestDrillInterrupted(t *testing.T) {
	const stays = "it goes on: b takes authority, and keeps it; failoverd explain says how far it is, and failoverd switchover there brings authority back"
	for name, tt := range map[string]struct {
		obey     func(string, *agent.Status)
		commands int    // it is interrupted when so many have been given
		says     string // or when it has said this
		want     string
		steps    int
	}{
		"while it fences":           {commands: 1, want: "interrupted: " + stays},
		"while the other one takes": {obey: func(_ string, s *agent.Status) { s.State = lease.Standby }, says: "a is fenced (at most", want: "interrupted: " + stays, steps: 1},
		"while the other one is active": {obey: handOver, says: "b is active; it is asked for it back in", steps: 2,
			want: "interrupted: b stays active; failoverd switchover there brings authority back"},
		"while it comes back": {steps: 2, commands: 2, want: "interrupted: it goes on, and authority comes back to a; failoverd explain says how far it is",
			obey: func(verb string, s *agent.Status) {
				if verb == agent.SwitchOver {
					handOver(verb, s)
				}
			}},
	} {
		t.Run(name, func(t *testing.T) {
			f, path := startFakeAgent(t)
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			f.obey = tt.obey
			out, stay := &ender{text: tt.says, end: interrupt}, "1h"
			if tt.says == "" {
				out.end, stay = func() {}, "0s"
				f.asked = func(commands int) {
					if commands == tt.commands {
						interrupt()
					}
				}
			}
			file := filepath.Join(t.TempDir(), "drill.md")
			cmd := root()
			cmd.SetArgs([]string{"drill", "--config", path, "--to", "b", "--stay", stay, "--report", file, "--yes", "--reason", "november"})
			cmd.SetOut(out)
			cmd.SetErr(out)
			if err := cmd.ExecuteContext(ctx); err == nil || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
			written, err := os.ReadFile(file)
			if err != nil {
				t.Error(err)
			}
			wants(t, string(written), "Ended as planned: false. "+tt.want)
			if len(f.reports) != 1 {
				t.Fatalf("%d reports, want one:\n%s", len(f.reports), out)
			}
			report := f.reports[0]
			if len(report.Steps) != tt.steps || report.Trouble != tt.want || report.Done || report.Ended.IsZero() {
				t.Errorf("the report has %d steps, want %d, and why it ended: %+v", len(report.Steps), tt.steps, report)
			}
			for _, s := range report.Steps {
				if !s.OK {
					t.Errorf("a step is late in the report: %+v", s)
				}
			}
		})
	}
}
