package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
)

// TestJudge shows that the journals of two agents are judged together: nothing is found in what the lease does, and a
// step in which layers are activated without authority is.
func TestJudge(t *testing.T) {
	activates := audit.Step{Now: 9e9, Event: lease.Tick{}, Actions: []lease.Action{lease.Activate{ID: 99, Deadline: 20e9, Epoch: 1}}}
	tests := []struct {
		name   string
		behind []any // more entries of the first region
		want   string
	}{
		{"as it was", nil, ""},
		{"layers without authority", []any{activates}, "activate-held"},
		{"steps behind a gap are left out", []any{audit.Gap{Lost: 3}, activates}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var regions []*Region
			for i, name := range []lease.Region{"fsn", "hel"} {
				r := &Region{Name: name, Dir: t.TempDir()}
				regions = append(regions, r)
				j := openJournal(t, r)
				p := ShortTimes("fsn", "hel")
				p.Group, p.Region = GroupName, name
				add(t, j, audit.Run{Params: p})
				s := lease.New(p).Strict()
				var fence lease.ActionID
				for k, ev := range []lease.Event{lease.Start{Incarnation: uint64(i + 1), BootID: "boot"}, lease.LayersFenced{}, lease.Tick{}} {
					if _, is := ev.(lease.LayersFenced); is {
						ev = lease.LayersFenced{ID: fence}
					}
					now := lease.Instant(1e9*(k+1) + 1e6*i)
					actions, _ := s.Step(now, ev)
					for _, a := range actions {
						if f, is := a.(lease.Fence); is {
							fence = f.ID
						}
					}
					add(t, j, audit.Step{Now: now, Event: ev, Actions: actions})
				}
				if i == 0 {
					for _, body := range test.behind {
						add(t, j, body)
					}
				}
				if err := j.Close(); err != nil {
					t.Fatal(err)
				}
			}
			got := strings.Join(Judge(t, regions...), "\n")
			if (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func openJournal(t *testing.T, r *Region) *audit.Journal {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir()) // for the trace that is kept
	if err := os.MkdirAll(r.StateDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	j, _, err := audit.Open(filepath.Join(r.StateDir(), "audit"), audit.Config{Group: GroupName, Region: r.Name})
	if err != nil {
		t.Fatal(err)
	}
	return j
}

// add adds an entry of the kind of its body.
func add(t *testing.T, j *audit.Journal, body any) {
	t.Helper()
	kind := audit.KindStep
	switch body.(type) {
	case audit.Run:
		kind = audit.KindRun
	case audit.Gap:
		kind = audit.KindGap
	}
	if err := j.Append(kind, body); err != nil {
		t.Fatal(err)
	}
}
