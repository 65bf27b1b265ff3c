package storm

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

func at(seconds float64) lease.Instant {
	return lease.Instant(0).Add(time.Duration(seconds * float64(time.Second)))
}

// claims are answers, each at once, every 0.2 s from one time to another.
func claims(epoch uint64, from, to, deadline float64) (all []Claim) {
	for s := from; s <= to+1e-9; s += 0.2 {
		all = append(all, Claim{at(s), at(s), epoch, at(deadline)})
	}
	return all
}

// gates are answers of the same kind.
func gates(open bool, from, to float64) []Gate {
	var r Record
	for s := from; s <= to+1e-9; s += 0.2 {
		r.gate(at(s), at(s), open)
	}
	return r.Gates
}

func hooks(action string, epoch uint64, begin, end float64) []Hook {
	return []Hook{{at(begin), action, epoch, false}, {at(end), action, epoch, true}}
}

func span(from, to float64) Span { return Span{at(from), at(to)} }

// TestJudge shows that each of the things that must never be is seen, and that what may be is not taken for one.
func TestJudge(t *testing.T) {
	b := Record{Region: "b", Instance: "b1", Claims: claims(2, 20, 25, 40), Gates: gates(true, 20, 25), Hooks: hooks("activate", 2, 20, 21)}
	tests := []struct {
		name string
		of   []Record
		want string // the kinds of what is found
	}{
		{"nothing", nil, ""},
		{"authority that ended", []Record{{Region: "a", Claims: claims(1, 0, 19, 19.5)}}, ""},
		{"authority yet", []Record{{Region: "a", Claims: claims(1, 0, 22, 40)}}, "authority"},
		{"of another instance", []Record{{Region: "a", Claims: claims(0, 0, 22, 0)}, {Region: "a", Instance: "a2", Claims: claims(1, 0, 22, 40)}}, "authority"},
		{"given up", []Record{{Region: "a", Claims: append(claims(1, 0, 19.8, 40), claims(0, 20, 25, 0)...)}}, ""},
		{"an answer is missing, and it was given up meanwhile", []Record{{Region: "a", Claims: append(claims(1, 0, 19, 40), claims(0, 24, 25, 0)...)}}, ""},
		{"frozen with authority", []Record{{Region: "a", Claims: claims(1, 0, 19, 40), Still: []Span{span(19.1, 30)}}}, "authority"},
		{"frozen until it had ended", []Record{{Region: "a", Claims: claims(1, 0, 10, 19.9), Still: []Span{span(10.1, 30)}}}, ""},
		{"the gate is open yet", []Record{{Region: "a", Gates: gates(true, 0, 22)}}, "serving"},
		{"the gate is closed", []Record{{Region: "a", Gates: append(gates(true, 0, 19.9), gates(false, 20, 22)...)}}, ""},
		{"one answer of the gate between others", []Record{{Region: "a", Gates: append(append(gates(false, 19, 22), gates(true, 22.1, 22.1)...), gates(false, 22.2, 23)...)}}, ""},
		{"fenced first", []Record{{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 18, 19)...)}}, ""},
		{"fenced after", []Record{{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 18, 21)...)}}, "layers"},
		{"fenced by another instance", []Record{{Region: "a", Hooks: hooks("activate", 1, 0, 1)}, {Region: "a", Instance: "a2", Hooks: hooks("fence", 1, 18, 19)}}, ""},
		{"never fenced", []Record{{Region: "a", Hooks: hooks("activate", 1, 0, 1)}}, "layers"},
		{"nobody could fence", []Record{{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 30, 30.5)...), Still: []Span{span(5, 30)}}}, "outlived"},
		{"thawed, and too late", []Record{{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 31, 32)...), Still: []Span{span(5, 30)}}}, "layers"},
		{"one of two could", []Record{
			{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 30, 30.5)...), Still: []Span{span(5, 30)}},
			{Region: "a", Instance: "a2", Still: []Span{span(5, 12)}}}, "layers"},
		{"neither of two could", []Record{
			{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 30, 30.5)...), Still: []Span{span(5, 30)}},
			{Region: "a", Instance: "a2", Still: []Span{span(19, 31)}}}, "outlived"},
		{"one frozen, one cut off", []Record{
			{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 30, 30.5)...), Still: []Span{span(5, 22), span(25, 40)}, Blind: []Span{span(21, 26)}},
			{Region: "a", Instance: "a2", Blind: []Span{span(1, 30)}}}, "outlived"},
		{"one frozen, one that has just been healed", []Record{
			{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 24, 24.5)...), Still: []Span{span(5, 24)}},
			{Region: "a", Instance: "a2", Blind: []Span{span(1, 22)}}}, "outlived"},
		{"one frozen, one healed for long", []Record{
			{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 30, 30.5)...), Still: []Span{span(5, 30)}},
			{Region: "a", Instance: "a2", Blind: []Span{span(1, 22)}}}, "layers"},
		{"one epoch twice", []Record{{Region: "a", Hooks: append(hooks("activate", 2, 0, 1), hooks("fence", 2, 18, 19)...)}}, "epochs"},
	}
	for _, tt := range tests {
		f := Judge(append(tt.of, b))
		var got []string
		for _, kind := range []struct {
			name string
			is   bool
		}{{"authority", len(f.Authority) > 0}, {"serving", len(f.Serving) > 0}, {"layers", len(f.Layers) > 0}, {"epochs", len(f.Epochs) > 0}, {"outlived", f.Outlived > 0}} {
			if kind.is {
				got = append(got, kind.name)
			}
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: got %q, want %q: %q", tt.name, s, tt.want, f.Bad())
		}
	}
}

// TestGaps finds when nobody serves, and that two instances of a region, or two regions, serve on end.
func TestGaps(t *testing.T) {
	f := Judge([]Record{
		{Region: "a", Gates: append(gates(true, 0, 10), gates(true, 30, 40)...)},
		{Region: "a", Instance: "a2", Gates: gates(true, 9, 12)},
		{Region: "b", Instance: "b1", Gates: gates(true, 12.2, 20)},
	})
	if len(f.Gaps) != 1 || f.Gap.Round(time.Second) != 10*time.Second || f.Held.Round(time.Second) != 30*time.Second || fmt.Sprint(f.Regions) != "map[a:2 b:1]" || len(f.Bad()) > 0 {
		t.Errorf("got %+v, want one gap, of 10 s, 30 s held, by a twice and b once", f)
	}
}
