package chaos

import (
	"slices"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

const ttl = 10 * time.Nanosecond // times in these tests are small numbers

func write(epoch uint64, arrived, answered lease.Instant) Write {
	return Write{arrived, answered, lease.FlagActive, epoch}
}

func hook(action string, epoch uint64, begin, end lease.Instant) []daemon.HookRun {
	return []daemon.HookRun{{At: begin, Action: action, Epoch: epoch, Phase: "begin"}, {At: end, Action: action, Epoch: epoch, Phase: "end"}}
}

// TestCheck shows that the checker sees each of the things that must never be, and is content with what may be: were it
// blind, the long test would be worth nothing.
func TestCheck(t *testing.T) {
	other := Record{Region: "b", Writes: []Write{write(2, 120, 121)}, Hooks: hook("activate", 2, 121, 122)}
	tests := []struct {
		name string
		a    Record
		want Findings // only how many of each
	}{
		{"nothing", Record{Region: "a"}, Findings{}},
		{"authority has ended", Record{Region: "a", Writes: []Write{write(1, 100, 101), write(1, 109, 109)}}, Findings{}},
		{"authority has not ended",
			Record{Region: "a", Writes: []Write{write(1, 105, 106), write(1, 111, 112)}},
			Findings{Authority: []string{""}}},
		{"answer after the deadline is no base",
			Record{Region: "a", Writes: []Write{write(1, 100, 101), write(1, 109, 110)}}, Findings{}},
		{"candidate's write is the first base",
			Record{Region: "a", Writes: []Write{{111, 112, lease.FlagCandidate, 1}}, Transitions: []Transition{{At: 119, To: lease.Active, Epoch: 1}}},
			Findings{Authority: []string{""}}},
		{"a candidate has none", Record{Region: "a", Writes: []Write{{111, 112, lease.FlagCandidate, 1}}}, Findings{}},
		{"fenced in time",
			Record{Region: "a", Writes: []Write{write(1, 100, 101)}, Hooks: append(hook("activate", 1, 101, 102), hook("fence", 1, 108, 109)...)},
			Findings{}},
		{"fenced too late",
			Record{Region: "a", Writes: []Write{write(1, 100, 101)}, Hooks: append(hook("activate", 1, 101, 102), hook("fence", 1, 109, 122)...)},
			Findings{Layers: []string{""}}},
		{"never fenced",
			Record{Region: "a", Writes: []Write{write(1, 100, 101)}, Hooks: hook("activate", 1, 101, 102)},
			Findings{Layers: []string{""}}},
		{"a frozen one can't fence",
			Record{Region: "a", Writes: []Write{write(1, 100, 101)}, Faults: []Fault{{Frozen, 105, 130}},
				Hooks: append(hook("activate", 1, 101, 102), hook("fence", 1, 131, 132)...)},
			Findings{}},
		{"it can when it is thawed",
			Record{Region: "a", Writes: []Write{write(1, 100, 101)}, Faults: []Fault{{Frozen, 105, 115}},
				Hooks: slices.Concat(hook("activate", 1, 101, 102), hook("activate", 1, 116, 117), hook("fence", 1, 123, 124))},
			Findings{Layers: []string{""}, Unfounded: []string{""}}},
		{"its authority is not excused",
			Record{Region: "a", Writes: []Write{write(1, 115, 116)}, Faults: []Fault{{Killed, 117, lease.Never}}, Hooks: hook("activate", 1, 116, 117)},
			Findings{Authority: []string{""}, Layers: []string{""}}},
		{"one that is cut off can fence",
			Record{Region: "a", Writes: []Write{write(1, 100, 101)}, Faults: []Fault{{Cut, 105, 130}}, Hooks: hook("activate", 1, 101, 102)},
			Findings{Layers: []string{""}}},
		{"claims what its writes give",
			Record{Region: "a", Writes: []Write{write(1, 100, 101)}, Claims: []Claim{{1, 110, "disk"}}}, Findings{}},
		{"claims more",
			Record{Region: "a", Writes: []Write{write(1, 100, 101)}, Claims: []Claim{{1, 111, "disk"}}},
			Findings{Unfounded: []string{""}}},
		{"activates without a lease", Record{Region: "a", Hooks: append(hook("activate", 1, 100, 101), hook("fence", 1, 102, 103)...)},
			Findings{Unfounded: []string{""}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := Check([]Record{tt.a, other}, ttl)
			if len(got.Authority) != len(tt.want.Authority) || len(got.Layers) != len(tt.want.Layers) || len(got.Unfounded) != len(tt.want.Unfounded) {
				t.Errorf("got %d overlaps of authority, %d of layers, %d unfounded: %q\nwant %d, %d, %d",
					len(got.Authority), len(got.Layers), len(got.Unfounded), got,
					len(tt.want.Authority), len(tt.want.Layers), len(tt.want.Unfounded))
			}
		})
	}
}

func TestLost(t *testing.T) {
	r := Record{
		Transitions: []Transition{
			{At: 50, Reason: lease.ReasonRenewalLate}, {At: 120, Reason: lease.ReasonRenewalLate},
			{At: 201, Reason: lease.ReasonAuthorityExpired}, {At: 300, Reason: lease.ReasonReleased},
		},
		Faults: []Fault{{Cut, 100, 130}, {Frozen, 190, 200}},
		Hooks:  hook("fence", 1, 202, 203),
	}
	if got := r.Lost(); len(got) != 1 || got[0].At != 50 {
		t.Errorf("lost %v, want the one at 50", got)
	}
}
