package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/lease"
)

func TestParams(t *testing.T) {
	p := Params()
	p.Region = p.Members[0]
	if v := p.Violations(); len(v) > 0 {
		t.Errorf("the daemon would refuse the demo's own parameters: %s", v[0].Text)
	}
}

// goOn are the acts that take no authority away.
var goOn = []string{"witness down", "resolver lies", "cut off, witness", "restarted"}

// TestRun is the demo. That gaps keep to their bounds is not asserted, nor is it that authority goes on where it should, if some was
// lost: the machine of a test may be busy, and the demo's times are short.
func TestRun(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()) // its own: other demos may be running
	var log, seen bytes.Buffer
	screen := &Screen{Out: &seen, Members: Params().Members, Width: 80}
	report, err := Run(t.Context(), hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: &log}), screen)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, &seen, &log)
	}
	screen.End()
	report.Print(&seen)
	t.Logf("\n%s", &seen)
	wantNarrow(t, seen.String())
	if report.Two > 0 {
		t.Errorf("two regions answered %d times\n%s", report.Two, &log)
	}
	if report.One == 0 || report.One+report.None+report.Two != report.Asked {
		t.Errorf("asked %d times, answered by one %d, none %d, two %d: want them to add up", report.Asked, report.One, report.None, report.Two)
	}
	if !report.Complete {
		t.Error("the report says that it is not complete")
	}
	var done []string
	epoch := uint64(0)
	for _, a := range report.Acts {
		done = append(done, a.Name)
		goesOn := slices.Contains(goOn, a.Name)
		if report.Lost == 0 && (a.Successor == a.Region) != (goesOn || a.Name == "first start") {
			t.Errorf("%s: %s came after %s", a.Name, a.Successor, a.Region)
		}
		if a.Epoch < epoch || a.Epoch == epoch && !goesOn || report.Lost == 0 && a.Epoch != epoch && goesOn {
			t.Errorf("%s: epoch %d came after %d", a.Name, a.Epoch, epoch)
		}
		epoch = a.Epoch
	}
	want := []string{"first start", "killed", "frozen", "witness down", "resolver lies", "cut off, witness", "cut off, all", "restarted", "switchover"}
	if !slices.Equal(done, want) {
		t.Errorf("it did %q, want %q", done, want)
	}
	wantReplayed(t, report)
	wantNothingLeft(t)
}

// wantReplayed has every region have kept a journal of all that its agents did, which replays to the same actions.
func wantReplayed(t *testing.T, report *Report) {
	t.Helper()
	runs := 0
	for i, m := range Params().Members {
		if i >= len(report.Journals) || report.Journals[i].Region != m {
			t.Fatalf("the journals are %+v, want one of each of %v", report.Journals, Params().Members)
		}
		j := report.Journals[i]
		if j.Wrong != "" {
			t.Errorf("the journal of %s: %s", j.Region, j.Wrong)
		}
		if j.Steps < 100 || j.Entries <= j.Steps+j.Runs {
			t.Errorf("the journal of %s has %d entries, of %d runs and %d steps; want a step for each thing that its lease was told, and what became of its layer", j.Region, j.Entries, j.Runs, j.Steps)
		}
		runs += j.Runs
		t.Logf("the journal of %s: %d entries, %d runs, %d steps replayed to the same actions", j.Region, j.Entries, j.Runs, j.Steps)
	}
	if runs != 5 {
		t.Errorf("the journals have %d runs of agents, want 5: of three that start, one killed, and one restarted at once", runs)
	}
}

func wantNarrow(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("a line has %d columns, want at most 80: %s", n, line)
		}
	}
}

// wantNothingLeft looks at the test's own TMPDIR.
func wantNothingLeft(t *testing.T) {
	t.Helper()
	left, err := os.ReadDir(os.TempDir())
	if err != nil || len(left) > 0 {
		t.Errorf("it left %v behind (%v)", left, err)
	}
}

func TestRunIsStopped(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("stopped by the test")
	watch := watcher(func() { cancel(why) })
	if _, err := Run(ctx, hclog.NewNullLogger(), watch); !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
	wantNothingLeft(t)
}

// TestPages: each agent has its page, at the address that was told, and none answers there while it is dead.
func TestPages(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("all was seen")
	visit := &visitor{pages: map[lease.Region]string{}}
	get := func(url string) (string, error) {
		resp, err := http.Get(url)
		if err != nil {
			return "", err
		}
		defer resp.Body.Close()
		text, err := io.ReadAll(resp.Body)
		return string(text), err
	}
	visit.sample = func(s Sample) {
		dead := slices.Index(s.Conditions, Killed)
		if dead < 0 {
			return
		}
		for i, m := range Params().Members {
			text, err := get(visit.pages[m])
			switch {
			case i == dead && err == nil:
				t.Errorf("%s is dead, and its page is\n%s", m, text)
			case i != dead && (err != nil || !strings.Contains(text, "<strong>"+string(m)+"</strong>") || !strings.Contains(text, "What happened") || strings.Contains(text, "can't be read")):
				t.Errorf("the page of %s: %v\n%s", m, err, text)
			}
		}
		cancel(over)
	}
	if _, err := Run(ctx, hclog.NewNullLogger(), visit); !errors.Is(err, over) {
		t.Errorf("got %v, want %v", err, over)
	}
	if len(visit.pages) != len(Params().Members) {
		t.Errorf("it told %v, want a page of each region", visit.pages)
	}
	wantNothingLeft(t)
}

// A visitor hears where the pages are, and is called for each sample.
type visitor struct {
	pages  map[lease.Region]string
	sample func(Sample)
}

func (v *visitor) Event(e Event) {
	var region lease.Region
	var url string
	if _, err := fmt.Sscanf(e.Text, "the page of %s %s", &region, &url); err == nil {
		v.pages[lease.Region(strings.TrimSuffix(string(region), ":"))] = url
	}
}

func (v *visitor) Sample(s Sample) { v.sample(s) }

// watcher is called for each sample.
type watcher func()

func (w watcher) Event(Event)   {}
func (w watcher) Sample(Sample) { w() }
