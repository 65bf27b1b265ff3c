package bench

import (
	"slices"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

func TestHookSpans(t *testing.T) {
	run := func(at lease.Instant, action, phase string) daemon.HookRun {
		return daemon.HookRun{At: at * second, Action: action, Phase: phase}
	}
	began, active := run(1, "activate", "begin"), run(2, "activate", "end")
	fencing, fenced := run(7, "fence", "begin"), run(8, "fence", "end")
	for _, test := range []struct {
		name   string
		runs   []daemon.HookRun
		killed []lease.Instant // seconds
		want   []Span
	}{
		{"never", nil, nil, nil},
		{"killed, and never active", nil, []lease.Instant{4}, nil},
		{"from the beginning on, until now", []daemon.HookRun{began}, nil, spans(1, 20)},
		{"until it is fenced", []daemon.HookRun{began, active, fencing, fenced}, nil, spans(1, 8)},
		{"fencing has not ended", []daemon.HookRun{began, active, fencing}, nil, spans(1, 20)},
		{"activated again", []daemon.HookRun{began, active, run(4, "activate", "begin"), run(5, "activate", "end"), fencing, fenced}, nil, spans(1, 8)},
		{"fenced again", []daemon.HookRun{began, active, fencing, fenced, run(9, "fence", "begin"), run(10, "fence", "end")}, nil, spans(1, 8)},
		{"until the machine dies", []daemon.HookRun{began, active}, []lease.Instant{5}, spans(1, 5)},
		{"fenced after it died", []daemon.HookRun{began, active, fencing, fenced}, []lease.Instant{5}, spans(1, 5)},
		{"active, dead, and active", []daemon.HookRun{began, active, run(9, "activate", "begin"), run(10, "activate", "end")}, []lease.Instant{5, 12}, spans(1, 5, 9, 12)},
	} {
		var killed []lease.Instant
		for _, at := range test.killed {
			killed = append(killed, at*second)
		}
		if got := hookSpans(test.runs, killed, 20*second); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
	}
}
