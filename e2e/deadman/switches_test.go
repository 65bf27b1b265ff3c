package deadman

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/openova-io/failoverd/check"
	"github.com/openova-io/failoverd/e2e/controlplane"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/supervisor"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/systemd"
)

var (
	rounds       = flag.Int("rounds", 1, "TestSwitches: `how many` of each row")
	defaultTimes = flag.Bool("default-times", false, "TestSwitches: with the times that the daemon and its unit have by default")
	plain        = flag.Bool("plain", false, "TestSwitches: daemons without the race detector")
)

var cluster = controlplane.Share(1, controlplane.Options{})

func TestMain(m *testing.M) {
	flag.Parse()
	if !set("test.parallel") {
		_ = flag.Set("test.parallel", "6") // worlds wait nearly all the time
	}
	os.Exit(cluster.Main(m))
}

func set(name string) (is bool) {
	flag.Visit(func(f *flag.Flag) { is = is || f.Name == name })
	return is
}

// times are those of the regions, and of what watches over their agents.
type times struct {
	params lease.Params
	term   time.Duration // term_duration
	scale  float64       // of the unit's times
	dog    time.Duration // watchdog.timeout
}

// chosenTimes are the default ones, or about a third of them.
func chosenTimes() times {
	p := daemon.DefaultTimes("fsn", "hel")
	if *defaultTimes {
		return times{p, 4 * time.Second, 1, 10 * time.Second}
	}
	p.TTL, p.RenewInterval, p.RetryInterval, p.PollInterval = 12*time.Second, 3*time.Second, 300*time.Millisecond, 300*time.Millisecond
	p.RequestTimeout, p.FenceTimeout = 2*time.Second, 3*time.Second
	return times{p, time.Second, 0.5, 3 * time.Second}
}

// A row is a harm that comes to the agent that acts for a region, and what is there against it.
type row struct {
	against   string // the switch; empty: none
	frozen    bool   // the agent is frozen; else killed
	fails     bool   // and it can't be started again
	instances bool
	dog       bool
	unit      func(supervisor.Unit) supervisor.Unit // as which systemd runs it; nil: nobody does
	goesOn    bool                                  // the region keeps its authority
}

func asShipped(u supervisor.Unit) supervisor.Unit { return u }

func withoutStopPost(u supervisor.Unit) supervisor.Unit { u.StopPost = nil; return u }

// rows are all: each switch on, and beside it what is without.
var rows = []row{
	{frozen: true},
	{},
	{against: "other instances", instances: true, frozen: true, goesOn: true},
	{against: "other instances", instances: true, goesOn: true},
	{against: "WatchdogSec", unit: asShipped, frozen: true, goesOn: true},
	{against: "Restart", unit: asShipped, goesOn: true},
	{fails: true, unit: withoutStopPost},
	{fails: true, unit: asShipped, against: "ExecStopPost"},
	{fails: true, unit: asShipped, against: "ExecStopPost, WatchdogSec", frozen: true},
	{against: "the kernel's watchdog", dog: true, frozen: true},
	{against: "the kernel's watchdog", dog: true},
}

func (r row) String() string {
	harm := "killed"
	if r.frozen {
		harm = "frozen"
	}
	if r.fails {
		harm += ", can't be started again"
	}
	if r.against == "" {
		return harm + ": no switch"
	}
	return harm + ": " + r.against
}

// of are the times of the row's world. An agent that is killed is to be back before the region fences, on a busy machine too.
func (r row) of(times times) times {
	if r.goesOn {
		times.params.TTL = max(times.params.TTL, 20*time.Second)
	}
	return times
}

// A result is what became of one round.
type result struct {
	outlived time.Duration // the layers were active without authority
	beside   time.Duration // the layers of both were active
	mended   time.Duration // from the end of the harm until the layers were inactive; of a row without a switch
	gap      time.Duration // in fsn's authority; of one that goes on
	gate     time.Duration // the dead-man gate said yes so long after the end of authority; below 0: before
	late     time.Duration // the stand-ins
}

// TestSwitches does each harm to each row, and prints the table.
func TestSwitches(t *testing.T) {
	binaries := daemon.Build(t, !*plain, withStandIn(t)...)
	times := chosenTimes()
	promise(t, times)
	var mu sync.Mutex
	results := make([][]result, len(rows))
	t.Run("rows", func(t *testing.T) {
		for i, row := range rows {
			for n := range *rounds {
				t.Run(fmt.Sprintf("%s %d", row, n+1), func(t *testing.T) {
					t.Parallel()
					r := newWorld(t, binaries, row, row.of(times)).round()
					mu.Lock()
					defer mu.Unlock()
					results[i] = append(results[i], r)
				})
			}
		}
	})
	var out strings.Builder
	table := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "harm: switch\trounds\tlayers outlived authority\tbeside another region's\tbound\tinactive after the end of the harm\tgap in authority\tgate open after authority\tstand-ins late")
	for i, row := range rows {
		most := func(of func(result) time.Duration) string {
			if len(results[i]) == 0 {
				return "?"
			}
			return fmt.Sprintf("%.2f s", of(slices.MaxFunc(results[i], func(a, b result) int { return int(of(a) - of(b)) })).Seconds())
		}
		bound, mended, gap, gate := "0", "", "", ""
		if row.against == "" {
			bound = "none"
			mended = most(func(r result) time.Duration { return r.mended })
		}
		if row.goesOn {
			gap = most(func(r result) time.Duration { return r.gap })
		} else {
			gate = most(func(r result) time.Duration { return r.gate })
		}
		fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", row, len(results[i]), most(func(r result) time.Duration { return r.outlived }), most(func(r result) time.Duration { return r.beside }),
			bound, mended, gap, gate, most(func(r result) time.Duration { return r.late }))
	}
	table.Flush()
	t.Logf("ttl %v (%v where the region goes on), fence_timeout %v; the most of each:\n%s", times.params.TTL, row{goesOn: true}.of(times).params.TTL, times.params.FenceTimeout, &out)
}

// promise shows what failoverd check says of these times, and fails if it does not call each switch in time.
func promise(t *testing.T, times times) {
	t.Helper()
	unit, err := supervisor.Read("../../systemd/failoverd.service")
	must(t, err)
	unit = unit.Scaled(times.scale)
	service := systemd.Service{Watchdog: unit.Watchdog, TimeoutAbort: unit.TimeoutAbort, Restart: "always", RestartDelay: unit.RestartDelay, StopPost: strings.Join(unit.StopPost, " ")}
	p := times.params
	p.TermDuration = times.term
	for _, f := range (check.Frozen{Params: p, Watchdog: times.dog, Service: &service}).Findings() {
		t.Log(f)
		if f.Level != check.OK {
			t.Errorf("the switches are not in time even as computed: %s", f)
		}
	}
}

// round does the harm, and waits until what it leads to is over.
func (w *world) round() (r result) {
	w.t.Helper()
	var acts *daemon.Region
	w.await("an agent acts for fsn", func(ctx context.Context) bool {
		acts = w.acts(ctx)
		return acts != nil
	})
	gate := w.probe(acts)
	process, harmed := w.harm(acts)
	stood := w.stands(harmed)
	w.await("the authority that stood at the harm is past, and somebody has some", func(ctx context.Context) bool {
		if now() < stood.Add(time.Second) {
			return false
		}
		if w.row.goesOn {
			return w.acts(ctx) != nil
		}
		s, err := w.hel.Status(ctx)
		return err == nil && s.State == lease.Active && s.AllLayers("active")
	})
	if w.row.against == "" {
		begun, fenced := now(), lease.Never
		w.mend(process)
		w.await("the layers are inactive after the end of the harm", func(context.Context) bool {
			fsn, _ := w.layers()
			is := active(fsn, lease.Never)
			fenced = is[len(is)-1].to
			return fenced != lease.Never
		})
		r.mended = fenced.Sub(begun)
	}
	end := now()
	runs, helRuns := w.layers()
	fsn, hel := within(active(runs, end), harmed, end), within(active(helRuns, end), harmed, end)
	if w.dog != nil {
		at, _ := w.dog.state()
		if at == 0 {
			w.t.Fatal("the watchdog has not reset the machine")
		}
		fsn = within(fsn, harmed, at) // its layers went with it
	}
	had := authority(w.renewals.All(), w.times.params.TTL)
	r.outlived, r.beside, r.late = outside(fsn, had), common(fsn, hel), w.late(harmed)
	if w.row.goesOn {
		r.gap = outside([]span{{harmed, end}}, had)
	} else {
		r.gate = gate.last().Sub(had[len(had)-1].to)
	}
	w.judge(r, hel)
	return r
}

// stands is until when the authority lasts that stood at an instant.
func (w *world) stands(at lease.Instant) lease.Instant {
	for _, s := range authority(w.renewals.All(), w.times.params.TTL) {
		if s.from <= at && at <= s.to {
			return s.to
		}
	}
	w.t.Fatal("fsn had no authority when the harm was done")
	return 0
}

func (w *world) judge(r result, hel []span) {
	w.t.Helper()
	switch {
	case w.row.against == "" && r.beside == 0:
		w.t.Errorf("without a switch layers were not active beside another region's: this row shows nothing")
	case w.row.against == "":
	case r.outlived > r.late:
		w.t.Errorf("layers outlived authority by %v (the stand-ins were late by %v)", r.outlived, r.late)
	case r.beside > r.late:
		w.t.Errorf("the layers of both regions were active for %v (the stand-ins were late by %v)", r.beside, r.late)
	}
	if w.row.goesOn && (r.gap > r.late || len(hel) > 0) {
		w.t.Errorf("fsn is to go on: it had no authority for %v, and hel was active %d times", r.gap, len(hel))
	}
	if r.gate > 0 {
		w.t.Errorf("the dead-man gate was open %v after the end of authority", r.gate)
	}
}
