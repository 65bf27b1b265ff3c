package demo

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/openova-io/failoverd/lease"
)

var rewrite = flag.Bool("rewrite", false, "write testdata anew; read the diff")

func TestParams(t *testing.T) {
	p := Params()
	p.Region = p.Members[0]
	if v := p.Violations(); len(v) > 0 {
		t.Errorf("the daemon would refuse the demo's own parameters: %s", v[0].Text)
	}
}

// TestRun is the demo. That gaps keep to their bounds is not asserted: the machine of a test may be busy.
func TestRun(t *testing.T) {
	var log, seen bytes.Buffer
	screen := &Screen{Out: &seen, Members: Params().Members, Width: 80}
	report, err := Run(t.Context(), hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: &log}), screen)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, &seen, &log)
	}
	screen.End()
	report.Print(&seen)
	t.Logf("\n%s", &seen)
	if report.Two > 0 {
		t.Errorf("two regions answered %d times\n%s", report.Two, &log)
	}
	if report.One == 0 || report.One+report.None+report.Two != report.Asked {
		t.Errorf("asked %d times, answered by one %d, none %d, two %d: want them to add up", report.Asked, report.One, report.None, report.Two)
	}
	var done []string
	epoch := uint64(0)
	for _, f := range report.Faults {
		done = append(done, f.Name)
		if (f.Successor == f.Region) != (f.Name == "restarted") {
			t.Errorf("%s: %s came after %s", f.Name, f.Successor, f.Region)
		}
		if f.Epoch < epoch || f.Epoch == epoch && f.Name != "restarted" {
			t.Errorf("%s: epoch %d came after %d", f.Name, f.Epoch, epoch)
		}
		epoch = f.Epoch
	}
	if want := []string{"killed", "frozen", "cut off", "restarted"}; !slices.Equal(done, want) {
		t.Errorf("it did %q, want %q", done, want)
	}
	left, err := filepath.Glob(filepath.Join(os.TempDir(), "failoverd-demo-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("it left %q behind (%v)", left, err)
	}
}

func TestRunIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("stopped by the test")
	watch := watcher(func() { cancel(why) })
	if _, err := Run(ctx, hclog.NewNullLogger(), watch); !errors.Is(err, why) {
		t.Errorf("got %v, want %v", err, why)
	}
}

// watcher is called for each sample.
type watcher func()

func (w watcher) Event(Event)   {}
func (w watcher) Sample(Sample) { w() }

// TestDoubleAnswers shows that the client would see two active regions, and that the report says so.
func TestDoubleAnswers(t *testing.T) {
	gate := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer gate.Close()
	var regions []*region
	for _, name := range Params().Members {
		s, err := newService(name)
		if err != nil {
			t.Fatal(err)
		}
		defer s.close()
		s.gate.Store(gate.URL)
		regions = append(regions, &region{name: name, service: s})
	}
	var report Report
	for i, active := range [][]uint64{{0, 0, 0}, {0, 7, 0}, {6, 7, 0}, {6, 7, 8}} {
		for j, epoch := range active {
			regions[j].service.epoch.Store(epoch)
		}
		answered := askAll(t.Context(), http.DefaultClient, regions)
		if len(answered) != i {
			t.Errorf("epochs %v: %v answered, want %d regions", active, answered, i)
		}
		report.count(sample{answered: answered})
	}
	if report.None != 1 || report.One != 1 || report.Two != 2 {
		t.Errorf("counted none %d, one %d, two %d, want 1, 1, 2", report.None, report.One, report.Two)
	}
	if err := report.Err(); err == nil || !strings.Contains(err.Error(), "2 times of 4") {
		t.Errorf("got %v, want that two regions answered 2 times of 4", err)
	}
}

// TestGate shows that an active layer alone does not make a service answer.
func TestGate(t *testing.T) {
	status := http.StatusServiceUnavailable
	gate := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }))
	s, err := newService("fsn")
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	s.gate.Store(gate.URL)
	s.epoch.Store(3)
	if got := askOne(t.Context(), http.DefaultClient, s.url); got != 0 {
		t.Errorf("it answers for epoch %d though its gate is shut", got)
	}
	status = http.StatusOK
	if got := askOne(t.Context(), http.DefaultClient, s.url); got != 3 {
		t.Errorf("it answers for epoch %d, want 3", got)
	}
	gate.Close()
	if got := askOne(t.Context(), http.DefaultClient, s.url); got != 0 {
		t.Errorf("it answers for epoch %d though its agent is gone", got)
	}
}

func TestBeyondBound(t *testing.T) {
	r := Report{Faults: []Fault{{Name: "killed", Region: "fsn", Gap: 3, Bound: 3.4}}}
	if err := r.Err(); err != nil {
		t.Errorf("got %v, want nothing", err)
	}
	r.Faults = append(r.Faults, Fault{Name: "frozen", Region: "hel", Gap: 3.5, Bound: 3.4})
	if err := r.Err(); err == nil || !strings.Contains(err.Error(), "hel was frozen") {
		t.Errorf("got %v, want that hel was frozen for too long", err)
	}
}

// TestEndOfLife shows that what is killed has no effect any more, as a process would have none.
func TestEndOfLife(t *testing.T) {
	l := newLife()
	done := 0
	do := func() error { done++; return nil }
	l.effect(do)
	l.freeze()
	l.end()
	if err := l.effect(do); err != nil || done != 1 {
		t.Errorf("got %v and %d effects, want nothing and 1", err, done)
	}
	<-l.gate(&l.frozen) // and it is not frozen, so that its goroutines end
}

// story is a demo in short: fsn answers, is killed, nobody does, hel does, and then two do.
func story(w Watcher) {
	at := time.Duration(0)
	show := func(n int, fsn Condition, answered ...lease.Region) {
		for range n {
			w.Sample(Sample{at, answered, []Condition{fsn, Up, Up}})
			at += askEvery
		}
	}
	w.Event(Event{at, "three regions start"})
	show(10, Up)
	show(12, Up, "fsn")
	w.Event(Event{at, "fsn is killed"})
	show(9, Killed)
	show(10, Killed, "hel")
	show(5, Frozen, "hel")
	show(5, Cut, "hel")
	show(3, Up, "hel", "fsn")
	show(4, Up, "hel")
}

func TestScreen(t *testing.T) {
	for _, tt := range []struct {
		name   string
		screen Screen
	}{
		{"plain", Screen{Width: 80}},
		{"live", Screen{Width: 80, Live: true}},
		{"colour", Screen{Width: 80, Live: true, Color: true}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			tt.screen.Out, tt.screen.Members = &out, Params().Members
			story(&tt.screen)
			tt.screen.End()
			got := strings.ReplaceAll(out.String(), "\x1b", "^[")
			if tt.name != "colour" && strings.Contains(got, "^[[3") {
				t.Error("there is colour")
			}
			path := filepath.Join("testdata", tt.name+".txt")
			if *rewrite {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}
