package health_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/lease"
)

// A story is looks at gateway (http), nodes (kubernetes) and page (http too): each time a line "10 gateway ill", in seconds,
// and after the times of want what the judgement was.
func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		name  string
		looks string
		want  string // "TIME degraded|well" at each change, and at the end
	}{
		{"one signal, for degraded_after", "0 gateway ill, 5 gateway ill, 10 gateway ill, 15 gateway ill, 20 gateway ill, 25 gateway ill", "30 degraded"},
		{"one that is well in between", "0 gateway ill, 5 gateway ill, 10 gateway well, 15 gateway ill, 20 gateway ill, 25 gateway ill, 30 gateway ill, 35 gateway ill, 40 gateway ill", "45 degraded"},
		{"a lost packet", "0 gateway ill, 0 nodes ill, 5 gateway well, 5 nodes well", ""},
		{"two of different kinds", "0 gateway ill, 1 nodes ill, 5 gateway ill, 6 nodes ill", "6 degraded"},
		{"two of one kind count as one", "0 gateway ill, 1 page ill, 5 gateway ill, 6 page ill, 10 gateway ill, 11 page ill, 15 gateway ill, 20 gateway ill, 25 gateway ill", "30 degraded"},
		{"what is not known is no illness", "0 gateway ill, 5 gateway ill, 10 gateway unknown, 15 gateway unknown, 20 gateway unknown, 25 gateway unknown", ""},
		{"nor an end of one, at once", "0 gateway ill, 1 nodes ill, 5 gateway ill, 6 nodes ill, 10 gateway unknown, 11 nodes unknown", "6 degraded"},
		{"a probe that does not look knows nothing", "0 gateway ill, 5 gateway ill", ""},
		{"recovered", "0 gateway ill, 1 nodes ill, 5 gateway ill, 6 nodes ill, 10 gateway well, 11 nodes well" + every(15, 120, "gateway well", "nodes well"), "6 degraded, 71 well"},
		{"ill again before that", "0 gateway ill, 1 nodes ill, 5 gateway ill, 6 nodes ill, 10 gateway well, 11 nodes well" + every(15, 40, "gateway well", "nodes well") +
			", 41 gateway ill, 46 gateway ill" + every(51, 120, "gateway well", "nodes well"), "6 degraded, 111 well"},
		{"nothing known is no recovery", "0 gateway ill, 1 nodes ill, 5 gateway ill, 6 nodes ill" + every(10, 300, "gateway unknown", "nodes unknown"), "6 degraded"},
		{"flapping", flapping(), "3 degraded"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tell(t, tt.looks); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

// every has looks each 5 s.
func every(from, to int, looks ...string) (story string) {
	for at := from; at < to; at += 5 {
		for _, l := range looks {
			story += fmt.Sprintf(", %d %s", at, l)
		}
	}
	return story
}

// flapping is ten times ill and well within a minute.
func flapping() string {
	story := "0 gateway ill, 0 nodes ill"
	for at := 3; at < 60; at += 3 {
		verdict := []string{"well", "ill", "ill"}[at/3%3]
		story += fmt.Sprintf(", %d gateway %s, %d nodes %s", at, verdict, at, verdict)
	}
	return story
}

// tell tells a story to a monitor, and looks whenever that wants to be looked at.
func tell(t *testing.T, story string) string {
	t.Helper()
	const second = lease.Instant(time.Second)
	signals := []health.Signal{{Name: "gateway", Kind: health.HTTP, Interval: 5 * time.Second}, {Name: "nodes", Kind: health.NodesReady, Interval: 5 * time.Second}, {Name: "page", Kind: health.HTTP, Interval: 5 * time.Second}}
	m := health.NewMonitor(health.Params{DegradedAfter: 30 * time.Second, RecoveredAfter: time.Minute}, signals, 0)
	var changes []string
	degraded := false
	saw := func(now lease.Instant, s health.State) {
		if s.Degraded != degraded {
			degraded = s.Degraded
			changes = append(changes, fmt.Sprintf("%d %s", now/second, map[bool]string{true: "degraded", false: "well"}[degraded]))
		}
	}
	until := func(now lease.Instant) {
		for wake := m.Wake(); wake < now; wake = m.Wake() {
			saw(wake, m.Judge(wake))
			if m.Wake() <= wake {
				t.Fatalf("at %d: wakes at %d: a loop", wake, m.Wake())
			}
		}
	}
	for _, look := range strings.Split(story, ", ") {
		var at lease.Instant
		var name, verdict string
		if _, err := fmt.Sscan(look, &at, &name, &verdict); err != nil {
			t.Fatalf("%q: %v", look, err)
		}
		until(at * second)
		saw(at*second, m.Look(at*second, health.Look{Name: name, Verdict: health.Verdict(verdict)}))
	}
	until(1000 * second)
	return strings.Join(changes, ", ")
}

// TestDistrust has looks that say more of the agent than of the region: they make nobody ill, and nobody less well.
func TestDistrust(t *testing.T) {
	for _, tt := range []struct {
		name string
		kind health.Kind
		look health.Look
		want health.Verdict
	}{
		{"in time", health.HTTP, health.Look{Verdict: health.Ill}, health.Ill},
		{"a little late", health.HTTP, health.Look{Verdict: health.Ill, Late: 2500 * time.Millisecond}, health.Ill},
		{"late", health.HTTP, health.Look{Verdict: health.Ill, Late: 2600 * time.Millisecond}, health.Unknown},
		{"late, and well", health.HTTP, health.Look{Verdict: health.Well, Late: time.Minute}, health.Well},
		{"cut off", health.DNS, health.Look{Verdict: health.Ill, CutOff: true}, health.Unknown},
		{"cut off, within the region", health.NodesReady, health.Look{Verdict: health.Ill, CutOff: true}, health.Ill},
		{"cut off, and well", health.TCP, health.Look{Verdict: health.Well, CutOff: true}, health.Well},
	} {
		m := health.NewMonitor(health.Params{DegradedAfter: time.Minute, RecoveredAfter: time.Minute}, []health.Signal{{Name: "a", Kind: tt.kind, Interval: 5 * time.Second}}, 0)
		tt.look.Name = "a"
		m.Look(1, tt.look)
		if got := m.Look(2, tt.look).Signals[0].Verdict; got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

// FuzzMonitor has any looks at any times: it never loops, and nobody is degraded of whom nothing ill was seen twice.
func FuzzMonitor(f *testing.F) {
	f.Add([]byte{5, 2, 5, 2, 5, 6, 5, 6, 200, 1})
	f.Fuzz(func(t *testing.T, story []byte) {
		signals := []health.Signal{{Name: "a", Kind: health.HTTP, Interval: 5 * time.Second}, {Name: "b", Kind: health.TCP, Interval: 7 * time.Second}}
		m := health.NewMonitor(health.Params{DegradedAfter: 30 * time.Second, RecoveredAfter: time.Minute}, signals, 0)
		var now lease.Instant
		ill := 0
		for ; len(story) >= 2; story = story[2:] {
			now = now.Add(time.Duration(story[0]) * 100 * time.Millisecond)
			look := health.Look{Name: string('a' + rune(story[1]>>2&3)), Verdict: []health.Verdict{health.Unknown, health.Well, health.Ill, health.Ill}[story[1]&3]}
			if look.Verdict == health.Ill {
				ill++
			}
			s := m.Look(now, look)
			if s.Degraded && ill < 2 {
				t.Fatalf("degraded after %d looks that found something ill", ill)
			}
			if wake := m.Wake(); wake <= now {
				t.Fatalf("at %d: wakes at %d: a loop", now, wake)
			}
		}
	})
}
