package storm

import (
	"fmt"
	"slices"
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
		all = append(all, Claim{Sent: at(s), Received: at(s), Epoch: epoch, Deadline: at(deadline)})
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
		{"the gate is open yet", []Record{{Region: "a", Gates: gates(true, 0, 22), Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 21, 22)...)}}, "serving layers"},
		{"the gate of a follower is open yet, and the layers are fenced", []Record{{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 18, 19)...)}, {Region: "a", Instance: "a2", Gates: gates(true, 0, 22)}}, ""},
		{"the gate is closed", []Record{{Region: "a", Gates: append(gates(true, 0, 19.9), gates(false, 20, 22)...)}}, ""},
		{"one answer of the gate between others", []Record{{Region: "a", Gates: append(append(gates(false, 19, 22), gates(true, 22.1, 22.1)...), gates(false, 22.2, 23)...)}}, ""},
		{"fenced first", []Record{{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 18, 19)...)}}, ""},
		{"fenced after", []Record{{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 18, 21)...)}}, "layers"},
		{"fenced by another instance", []Record{{Region: "a", Hooks: hooks("activate", 1, 0, 1)}, {Region: "a", Instance: "a2", Hooks: hooks("fence", 1, 18, 19)}}, ""},
		{"never fenced", []Record{{Region: "a", Hooks: hooks("activate", 1, 0, 1)}}, "layers"},
		{"nobody could fence", []Record{{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 30, 30.5)...), Still: []Span{span(5, 30)}}}, "outlived"},
		{"thawed, and too late", []Record{{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 31, 32)...), Still: []Span{span(5, 30)}}}, "layers"},
		{"thawed, when the machine stood still", []Record{{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 51, 51.9)...), Still: []Span{span(5, 50)}}}, "outlived"},
		{"thawed, when the machine stood still, and too late even so", []Record{{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, 51, 52.2)...), Still: []Span{span(5, 50)}}}, "layers"},
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
	machine := []Span{span(29, 29.1), span(50.2, 51.2)}
	for _, tt := range tests {
		f := Judge(append(tt.of, b), nil, machine)
		var got []string
		for _, kind := range []struct {
			name string
			is   bool
		}{{"authority", len(f.Authority) > 0}, {"serving", len(f.Serving) > 0}, {"layers", len(f.Layers) > 0}, {"epochs", len(f.Epochs) > 0}, {"outlived", f.Outlived.Longest > 0}} {
			if kind.is {
				got = append(got, kind.name)
			}
		}
		if s := strings.Join(got, " "); s != tt.want {
			t.Errorf("%s: got %q, want %q: %q", tt.name, s, tt.want, f.Bad())
		}
	}
}

// says are answers of an instance of its state, each at once, every 0.2 s from one time to another.
func says(state lease.StateName, why lease.ReasonCode, from, to float64) (all []Claim) {
	for _, c := range claims(0, from, to, 0) {
		c.State, c.Reason = state, why
		all = append(all, c)
	}
	return all
}

// TestExcuses shows whom it excuses that he could not reach his API server, when the layers of a region were active beside
// another's.
func TestExcuses(t *testing.T) {
	b := Record{Region: "b", Instance: "b1", Hooks: hooks("activate", 2, 20, 21)}
	const active, fencing, follower = lease.Active, lease.Fencing, lease.Follower
	for _, tt := range []struct {
		name string
		says []Claim
		back float64 // the hook has fenced
		want bool    // excused
	}{
		{"who follows", says(follower, lease.ReasonElected, 0, 40), 30, true},
		{"who acts", says(active, "", 0, 29.8), 30, false},
		{"who is to fence", says(fencing, "", 0, 29.8), 30, false},
		{"who acted, and has resigned", append(says(active, "", 0, 9), says(follower, lease.ReasonResigned, 9.2, 40)...), 30, false},
		{"who stood by, and has resigned", append(says(lease.Standby, "", 0, 9), says(follower, lease.ReasonResigned, 9.2, 40)...), 30, true},
		{"who acted, and was superseded", append(says(active, "", 0, 9), says(follower, lease.ReasonSuperseded, 9.2, 40)...), 30, true},
		{"who has fenced for the other one", says(lease.Standby, "", 0, 40), 30, true},
	} {
		a := []Record{
			{Region: "a", Hooks: append(hooks("activate", 1, 0, 1), hooks("fence", 1, tt.back-0.1, tt.back)...), Claims: tt.says, Blind: []Span{span(5, 35)}},
			{Region: "a", Instance: "a2", Still: []Span{span(4, 40)}},
		}
		f := Judge(append(a, b), nil, nil)
		if got := len(f.Bad()) == 0; got != tt.want || got != (f.Outlived.Longest > 0) {
			t.Errorf("%s: excused: %v, want %v: %q", tt.name, got, tt.want, f.Bad())
		}
	}
}

// TestOwes finds when the layers were an instance's to fence.
func TestOwes(t *testing.T) {
	fence := hooks("fence", 1, 10.05, 10.1)
	for _, tt := range []struct {
		name  string
		says  []Claim
		hooks []Hook
		want  []Span
	}{
		{"it never acted", says(lease.Follower, "", 0, 20), nil, nil},
		{"up to its hook", append(says(lease.Active, "", 0, 10), says(lease.Fencing, "", 10.2, 20)...), fence, []Span{span(0, 10)}},
		{"it has not fenced", append(says(lease.Active, "", 0, 10), says(lease.Fencing, "", 10.2, 20)...), nil, []Span{span(0, 20)}},
		{"it begins by fencing", says(lease.Fencing, "", 10, 20), fence, []Span{span(10, 10)}},
		{"renewed", append(append(says(lease.Active, "", 0, 10), says(lease.Fencing, "", 10.2, 12)...), says(lease.Active, "", 12.2, 20)...), fence, []Span{span(0, 10), span(12.2, 20)}},
		{"resigned, and fenced", append(says(lease.Active, "", 0, 5), says(lease.Follower, lease.ReasonResigned, 5.2, 20)...), fence, []Span{span(0, 10)}},
	} {
		got := Record{Claims: tt.says, Hooks: tt.hooks}.owes()
		if !slices.EqualFunc(got, tt.want, func(a, b Span) bool {
			return a.From.Sub(b.From).Abs() < time.Millisecond && a.To.Sub(b.To).Abs() < time.Millisecond
		}) {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

// answers are those of a region's API server, each at once, every 0.2 s from one time to another.
func answers(region lease.Region, version string, leads bool, from, to float64) (seen []Route) {
	for s := from; s <= to+1e-9; s += 0.2 {
		seen = noteRoute(seen, Route{region, version, leads, span(s, s)})
	}
	return seen
}

// TestRoutes shows that two regions whose routes lead to the application at once are seen, and when that is excused.
func TestRoutes(t *testing.T) {
	join := func(all ...[]Route) []Route { return slices.Concat(all...) }
	for _, tt := range []struct {
		name   string
		routes []Route // of a; that of b leads from 20 to 25
		of     Record
		want   string
	}{
		{"nothing", nil, Record{}, ""},
		{"fenced first", join(answers("a", "1", true, 0, 19), answers("a", "2", false, 19.2, 25)), Record{}, ""},
		{"fenced after", join(answers("a", "1", true, 0, 21), answers("a", "2", false, 21.2, 25)), Record{}, "routes"},
		{"fenced, and activated again", join(answers("a", "1", true, 0, 1), answers("a", "2", false, 2, 22), answers("a", "3", true, 26, 30)), Record{}, ""},
		{"nothing is known between two versions", join(answers("a", "1", true, 0, 10), answers("a", "2", false, 24, 25)), Record{}, ""},
		{"one version, though it was not asked for long", noteRoute(answers("a", "1", true, 0, 10), Route{"a", "1", true, span(24, 24)}), Record{}, "routes"},
		{"cut off", join(answers("a", "1", true, 0, 30), answers("a", "2", false, 30.2, 31)), Record{Claims: says(lease.Active, "", 0, 31), Blind: []Span{span(5, 29)}}, "outlived"},
		{"healed, and too late", join(answers("a", "1", true, 0, 40), answers("a", "2", false, 40.2, 41)), Record{Blind: []Span{span(5, 10)}}, "routes"},
		{"frozen", join(answers("a", "1", true, 0, 30), answers("a", "2", false, 30.2, 31)), Record{Still: []Span{span(5, 29)}}, "outlived"},
		{"thawed, and too late", join(answers("a", "1", true, 0, 24), answers("a", "2", false, 24.2, 31)), Record{Still: []Span{span(5, 20)}}, "routes"},
	} {
		tt.of.Region = "a"
		f := Judge([]Record{tt.of, {Region: "b"}}, append(tt.routes, answers("b", "7", true, 20, 25)...), nil)
		got := ""
		if len(f.Routes) > 0 {
			got += "routes"
		}
		if f.RoutesOutlived.Longest > 0 {
			got += "outlived"
		}
		if got != tt.want || len(f.Routes) != len(f.Bad()) {
			t.Errorf("%s: got %q, want %q: %q", tt.name, got, tt.want, f.Bad())
		}
	}
}

// TestGaps finds when nobody serves, and that two instances of a region, or two regions, serve on end.
func TestGaps(t *testing.T) {
	f := Judge([]Record{
		{Region: "a", Gates: append(gates(true, 0, 10), gates(true, 30, 40)...)},
		{Region: "a", Instance: "a2", Gates: gates(true, 9, 12)},
		{Region: "b", Instance: "b1", Gates: gates(true, 12.2, 20)},
	}, nil, nil)
	if len(f.Gaps) != 1 || f.Gap.Round(time.Second) != 10*time.Second || f.Held.Round(time.Second) != 30*time.Second || fmt.Sprint(f.Regions) != "map[a:2 b:1]" || len(f.Bad()) > 0 {
		t.Errorf("got %+v, want one gap, of 10 s, 30 s held, by a twice and b once", f)
	}
}
