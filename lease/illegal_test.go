package lease_test

import (
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// resumed is a region that holds authority for 30s, its layers active.
func resumed(t *testing.T, strict bool) *lease.State {
	t.Helper()
	s := lease.New(defaults())
	if strict {
		s.Strict()
	}
	actions, d := s.Step(epochOfClock, lease.Start{Incarnation: 1, BootID: "boot-1",
		Saved: lease.Authority{Epoch: 4, Deadline: epochOfClock.Add(30 * time.Second), BootID: "boot-1", Safety: lease.SafetyHash(defaults().Safety())}})
	if d.State != lease.Active || len(actions) == 0 {
		t.Fatalf("got %v, want a region that goes on", d.State)
	}
	return s
}

// TestIllegal drives the machine in ways that only a bug could: under test it panics,
// in production it fences and says why.
func TestIllegal(t *testing.T) {
	later := epochOfClock.Add(time.Second)
	tests := []struct {
		name string
		now  lease.Instant
		ev   lease.Event
	}{
		{"a second start", later, lease.Start{Incarnation: 2}},
		{"a clock that goes back", epochOfClock.Add(-1), lease.Tick{}},
		{"a round of too few flags", later, lease.RoundRead{Flags: make([]lease.FlagRead, 1)}},
		{"a round of too few infos", later, lease.RoundRead{Flags: make([]lease.FlagRead, 2), Infos: make([]lease.InfoRead, 3)}},
		{"no event", later, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			actions, d := resumed(t, false).Step(tt.now, tt.ev)
			if d.State != lease.Fencing || d.Reason != lease.ReasonIllegal {
				t.Errorf("got %s (%s), want it to fence", d.State, d.Reason)
			}
			var noticed, fenced bool
			for _, a := range actions {
				switch a := a.(type) {
				case lease.Notice:
					noticed = noticed || a.Reason == lease.ReasonIllegal && a.Detail != ""
				case lease.Fence:
					fenced = true
				}
			}
			if !noticed || !fenced {
				t.Errorf("noticed %v, fenced %v, want both: %v", noticed, fenced, actions)
			}
			defer func() {
				if recover() == nil {
					t.Error("a strict machine does not panic")
				}
			}()
			resumed(t, true).Step(tt.now, tt.ev)
		})
	}
}

// TestIllegalBeforeStart: before its start a region has nothing to fence and does nothing.
func TestIllegalBeforeStart(t *testing.T) {
	actions, d := lease.New(defaults()).Step(epochOfClock, lease.Tick{})
	if len(actions) != 1 || actions[0].(lease.Notice).Reason != lease.ReasonIllegal || d.Authority {
		t.Errorf("got %v and authority %v, want a notice alone", actions, d.Authority)
	}
}

// TestIllegalIsOver shows that a region that fenced for a bug is a standby afterwards, and
// that no base that comes in brings its authority back.
func TestIllegalIsOver(t *testing.T) {
	s := resumed(t, false)
	actions, _ := s.Step(epochOfClock.Add(time.Second), nil)
	var order lease.ActionID
	for _, a := range actions {
		if f, ok := a.(lease.Fence); ok {
			order = f.ID
		}
	}
	if _, d := s.Step(epochOfClock.Add(2*time.Second), lease.LayersFenced{ID: order}); d.State != lease.Standby || d.Authority {
		t.Errorf("got %s, authority %v, want a standby without", d.State, d.Authority)
	}
}
