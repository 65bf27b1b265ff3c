package main

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
)

// TestDrillLooksAgain: who is asked may take any time to answer, so what a drill rests on is looked at again when it is to begin.
func TestDrillLooksAgain(t *testing.T) {
	drill := func(t *testing.T, path string, shown func()) (string, error) {
		t.Helper()
		out := &ender{text: "\n  [yes] b is another member of the group\n", end: shown} // which is the last check
		cmd := root()
		cmd.SetArgs([]string{"drill", "--config", path, "--to", "b", "--stay", "0s", "--yes", "--reason", "november"})
		cmd.SetOut(out)
		cmd.SetErr(out)
		err := cmd.ExecuteContext(t.Context())
		return out.String(), err
	}
	t.Run("all is well", func(t *testing.T) {
		f, path := startFakeAgent(t)
		f.obey = handOver
		var shown time.Time
		out, err := drill(t, path, func() {
			if shown.IsZero() {
				shown = time.Now()
			}
		})
		if err != nil || len(f.reports) != 1 {
			t.Fatalf("%v, %d reports, want one of a drill that went as planned:\n%s", err, len(f.reports), out)
		}
		if r := f.reports[0]; r.Began.Before(shown) || len(r.Checks) != 8 || !r.Done {
			t.Errorf("it began %v after the plan was shown, with %d checks, as planned: %v; want it to begin then, with 8: %+v", r.Began.Sub(shown), len(r.Checks), r.Done, r)
		}
	})
	t.Run("an alarm has begun", func(t *testing.T) {
		f, path := startFakeAgent(t)
		f.obey = handOver
		out, err := drill(t, path, func() {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.status.Alarms = []agent.AlarmStatus{{ReasonStatus: agent.ReasonStatus{Title: "witness unreachable"}, Witness: "kv"}}
		})
		if err == nil || !strings.Contains(err.Error(), "1 of 9 checks failed") || !strings.Contains(err.Error(), "nothing was done") {
			t.Errorf("got %v, want that one of 9 checks failed", err)
		}
		wants(t, out, "\n  [no ] no alarm holds: witness unreachable witness kv\n")
		if f.commands != 0 || len(f.reports) != 0 {
			t.Errorf("%d commands and %d reports, want none", f.commands, len(f.reports))
		}
	})
}

// TestDrillIsKept: the agent keeps the report of a drill that has ended, with who made it, over a restart, and in its journal.
func TestDrillIsKept(t *testing.T) {
	dir, path := setUp(t)
	began := time.Date(2026, 11, 25, 2, 0, 0, 0, time.UTC)
	report := audit.Drill{
		Group: "g", Region: "a", To: "b", Reason: "november", User: "nobody in particular", Began: began, Ended: began.Add(time.Minute), Done: true,
		Steps: []audit.DrillStep{{What: "a is fenced", Seconds: 0.2, Bound: 10, OK: true}},
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	want := report
	want.User = me.Username
	var kept *audit.Drill
	shown := func(socket string) {
		t.Helper()
		status, err := statusBySocket(t.Context(), socket)
		if err != nil || status.Drill == nil || !reflect.DeepEqual(*status.Drill, want) {
			t.Errorf("the status has %+v, %v; want %+v", status.Drill, err, want)
		}
		kept = status.Drill
	}
	life := func(during func(socket string)) {
		t.Helper()
		ctx, cancel := context.WithCancel(t.Context())
		d, err := prepare(ctx, path, instance{}, nil)
		if err != nil {
			cancel()
			t.Fatal(err)
		}
		d.log.SetLevel(hclog.Off)
		control := &http.Server{Handler: controlHandler(d.agent, d.log), ConnContext: withPeer, ReadHeaderTimeout: time.Second}
		go control.Serve(d.control)
		ended := make(chan error, 1)
		go func() { ended <- d.agent.Run(ctx) }()
		defer func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			control.Close()
			d.close()
		}()
		during(d.cfg.API.Socket)
	}
	life(func(socket string) {
		for why, wrong := range map[string]audit.Drill{
			"want the report of a drill": {Group: "g", Region: "a", Reason: "without a step", Ended: began},
			"want a of group g":          {Group: "g", Region: "b", Reason: "of another region", Steps: report.Steps, Ended: began},
		} {
			if err := post(t.Context(), socket, pathDrill, wrong); err == nil || !strings.Contains(err.Error(), why) {
				t.Errorf("a report %s: %v, want a refusal: %s", wrong.Reason, err, why)
			}
		}
		early := audit.Drill{Group: "g", Region: "a", Reason: "interrupted before a step", Trouble: "interrupted", Ended: began}
		if err := post(t.Context(), socket, pathDrill, early); err != nil {
			t.Errorf("a drill that was interrupted before a step: %v", err)
		}
		if err := post(t.Context(), socket, pathDrill, report); err != nil {
			t.Fatal(err)
		}
		shown(socket)
	})
	var text strings.Builder
	printStatus(&text, agent.Status{Drill: kept})
	wants(t, text.String(), "last drill: to b, by "+want.User, "as planned, 1 steps within their bounds")
	life(func(socket string) {
		started := func() bool {
			s, err := statusBySocket(t.Context(), socket)
			return err == nil && s.State != ""
		}
		for limit := time.After(time.Minute); !started(); {
			select {
			case <-limit:
				t.Fatal("the agent does not start")
			case <-time.After(10 * time.Millisecond):
			}
		}
		shown(socket)
	})
	entries := 0
	if _, err := audit.Verify(filepath.Join(dir, "state", "audit"), nil, func(_ string, e audit.Entry) error {
		if e.Kind == audit.KindDrill && strings.Contains(string(e.Body), "november") {
			entries++
		}
		return nil
	}); err != nil || entries != 1 {
		t.Errorf("the journal has %d reports, %v; want one", entries, err)
	}
}

// TestDrillDry looks alone: what it says is not the report of a drill that was done.
func TestDrillDry(t *testing.T) {
	f, path := startFakeAgent(t)
	var d struct {
		Checks []audit.DrillCheck
		Done   *bool
	}
	mustJSON(t, &d, "drill", "--config", path, "--to", "b", "--dry-run")
	if len(d.Checks) == 0 || d.Done == nil || *d.Done || f.commands != 0 {
		t.Errorf("%d checks, done: %v, %d commands; want some, false, none", len(d.Checks), d.Done, f.commands)
	}
}

// TestDrillNoReport names a file that can't be written: it is found out before anything is done.
func TestDrillNoReport(t *testing.T) {
	f, path := startFakeAgent(t)
	f.obey = handOver
	for _, file := range []string{filepath.Join(t.TempDir(), "none", "drill.md"), t.TempDir(), path} {
		out, err := failoverd(t, "drill", "--config", path, "--to", "b", "--stay", "0s", "--report", file, "--yes", "--reason", "november")
		if !errors.As(err, &usageError{}) || !strings.Contains(err.Error(), "--report: ") || !strings.Contains(err.Error(), file) || f.commands != 0 {
			t.Fatalf("%s: got %v, and %d commands; want that it can't be written, and none:\n%s", file, err, f.commands, out)
		}
	}
	file := filepath.Join(t.TempDir(), "drill.md")
	must(t, "drill", "--config", path, "--to", "b", "--dry-run", "--report", file)
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a report of what was not done: %v", err)
	}
}
