package demo

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// directed is a director of regions that don't run, whose client sees what is given: for each round,
// the regions that answered, each with its epoch.
func directed(t *testing.T, rounds ...string) *director {
	members := Params().Members
	samples := make(chan sample, len(rounds))
	begun := time.Now()
	for i, round := range rounds {
		at := time.Duration(i+1) * askEvery
		s := sample{asked: begun.Add(at), at: at}
		for _, r := range strings.Fields(round) {
			name, epoch := lease.Region(r[:3]), uint64(r[3]-'0')
			s.answered = append(s.answered, answer{name, epoch})
		}
		samples <- s
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	d := &director{ctx: ctx, world: &world{witness: newGate()}, samples: samples, watch: watcher(func() {
		if len(samples) == 0 {
			cancel(errOver)
		}
	})}
	t.Cleanup(func() { cancel(nil) })
	for _, m := range members {
		s := &service{name: m}
		d.regions = append(d.regions, &region{name: m, params: Params(), service: s})
	}
	return d
}

var errOver = errors.New("there are no more rounds")

func TestTakeover(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rounds []string
		gap    float64
		next   answer
		none   int
		two    int
	}{
		{"at once", []string{"fsn1", "hel2"}, 0.1, answer{"hel", 2}, 0, 0},
		{"after a while", []string{"fsn1", "fsn1", "", "", "", "hel2", "hel2"}, 0.4, answer{"hel", 2}, 3, 0},
		{"the longest of two silences", []string{"fsn1", "", "", "fsn1", "", "hel2"}, 0.3, answer{"hel", 2}, 3, 0},
		{"while the old one answers too", []string{"fsn1", "fsn1", "fsn1 nbg2"}, 0.1, answer{"nbg", 2}, 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := directed(t, tt.rounds...)
			if err := d.takeover("killed", d.regions[0], measured.takeover); err != nil {
				t.Fatal(err)
			}
			f := d.report.Acts[0]
			if got := (answer{f.Successor, f.Epoch}); got != tt.next || d.active.answer != tt.next {
				t.Errorf("%v took over, want %v", got, tt.next)
			}
			if diff := f.Gap - tt.gap; diff < -1e-9 || diff > 1e-9 {
				t.Errorf("the gap is %v s, want %v s", f.Gap, tt.gap)
			}
			if d.report.None != tt.none || d.report.Two != tt.two {
				t.Errorf("none answered %d times, two %d times; want %d and %d", d.report.None, d.report.Two, tt.none, tt.two)
			}
		})
	}
}

// TestStays: while the active region is to go on, a gap is what nobody answers, and nobody else may.
func TestStays(t *testing.T) {
	steady := slices.Repeat([]string{"fsn1"}, 40)
	with := func(rounds ...string) []string { return append(slices.Clone(steady[:5]), append(rounds, steady...)...) }
	for _, tt := range []struct {
		name   string
		rounds []string
		gap    float64
		next   answer
		lost   int
	}{
		{"goes on", steady, 0, answer{"fsn", 1}, 0},
		{"a round without an answer", with(""), 0.2, answer{"fsn", 1}, 0},
		{"a silence", with("", "", "", ""), 0.5, answer{"fsn", 1}, 0},
		{"another takes over", append(slices.Clone(steady[:30]), slices.Repeat([]string{"hel2"}, 30)...), 0.1, answer{"hel", 2}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := directed(t, tt.rounds...)
			d.active.answer = answer{"fsn", 1}
			if err := d.rest(askEvery); err != nil {
				t.Fatal(err)
			}
			d.gap = 0
			if err := d.stays("witness down"); err != nil {
				t.Fatal(err)
			}
			a := d.report.Acts[0]
			if diff := a.Gap - tt.gap; diff < -1e-9 || diff > 1e-9 || a.Region != "fsn" || a.Successor != tt.next.region || a.Epoch != tt.next.epoch {
				t.Errorf("got %+v, want a gap of %v s, fsn, and then %v", a, tt.gap, tt.next)
			}
			if d.active.answer != tt.next || d.report.Lost != tt.lost {
				t.Errorf("goes on with %v, and %d authorities lost; want %v and %d", d.active.answer, d.report.Lost, tt.next, tt.lost)
			}
			if d.now < d.regions[0].params.TTL {
				t.Errorf("it looked on for %v only, and what was there before lasts as long", d.now)
			}
			if d.report.Calm != 0 {
				t.Errorf("counted %d rounds as calm", d.report.Calm)
			}
		})
	}
}

func TestNobodyTakesOver(t *testing.T) {
	d := directed(t, "fsn1", "fsn1", "", "")
	err := d.takeover("killed", d.regions[0], measured.takeover)
	if !errors.Is(err, errOver) || !strings.Contains(err.Error(), "another region takes over from fsn") {
		t.Errorf("got %v, want what it waited for, and why it stopped", err)
	}
}

// TestCalm: nothing should change while nothing is done. What does is counted, as is a round that nobody answers then.
func TestCalm(t *testing.T) {
	for _, tt := range []struct {
		name   string
		rounds []string
		calm   int
		lost   int
	}{
		{"calm", []string{"fsn1", "fsn1", "fsn1", "fsn1"}, 0, 0},
		{"a busy machine", []string{"fsn1", "", "fsn1", "fsn1"}, 1, 0},
		{"a takeover", []string{"fsn1", "", "", "hel2"}, 2, 1},
		{"an authority lost and had again", []string{"fsn1", "", "", "fsn2"}, 2, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := directed(t, tt.rounds...)
			d.active.answer = answer{"fsn", 1}
			if err := d.rest(3 * askEvery); err != nil {
				t.Fatal(err)
			}
			r, err := d.holder()
			if err != nil {
				t.Fatal(err)
			}
			if r.name != d.active.region {
				t.Errorf("%s is what is done something to, and %s answers", r.name, d.active.region)
			}
			if d.report.Calm != tt.calm || d.report.Lost != tt.lost {
				t.Errorf("counted %d and %d, want %d and %d", d.report.Calm, d.report.Lost, tt.calm, tt.lost)
			}
		})
	}
}
