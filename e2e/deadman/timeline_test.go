package deadman

import (
	"fmt"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

func at(s float64) lease.Instant {
	return lease.Instant(0).Add(time.Duration(s * float64(time.Second)))
}

// TestTimeline shows that what must not be is seen, and nothing else.
func TestTimeline(t *testing.T) {
	renewed := func(at ...lease.Instant) (all []daemon.Renewal) {
		for _, a := range at {
			all = append(all, daemon.Renewal{Arrived: a, Answered: a.Add(100 * time.Millisecond)})
		}
		return all
	}
	run := func(when float64, action string) []daemon.HookRun {
		return []daemon.HookRun{{At: at(when), Action: action, Phase: "begin"}, {At: at(when + 0.5), Action: action, Phase: "end"}}
	}
	for name, tt := range map[string]struct {
		renewals []daemon.Renewal
		runs     [][]daemon.HookRun
		outside  time.Duration
		common   time.Duration // with what is active from 12 s to 20 s
	}{
		"renewed all the time":                 {renewed(at(0), at(4), at(8), at(12)), [][]daemon.HookRun{run(1, "activate")}, 0, 8 * time.Second},
		"fenced in time":                       {renewed(at(0)), [][]daemon.HookRun{run(1, "activate"), run(9, "fence")}, 0, 0},
		"fenced while authority ends":          {renewed(at(0)), [][]daemon.HookRun{run(1, "activate"), run(9.75, "fence")}, 250 * time.Millisecond, 0},
		"never fenced":                         {renewed(at(0)), [][]daemon.HookRun{run(1, "activate")}, 10 * time.Second, 8 * time.Second},
		"renewed again too late":               {renewed(at(0), at(13)), [][]daemon.HookRun{run(1, "activate")}, 3 * time.Second, 8 * time.Second},
		"another instance, in another's order": {renewed(at(0), at(5)), [][]daemon.HookRun{run(6, "activate"), run(1, "activate"), run(13, "fence")}, 0, 1500 * time.Millisecond},
		"fenced, and active again":             {renewed(at(0), at(12)), [][]daemon.HookRun{run(1, "activate"), run(8, "fence"), run(12.5, "activate")}, 0, 7500 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			var runs []daemon.HookRun
			for _, r := range tt.runs {
				runs = append(runs, r...)
			}
			is := active(runs, at(20))
			if got := outside(is, authority(tt.renewals, 10*time.Second)); got != tt.outside {
				t.Errorf("active without authority: got %v, want %v", got, tt.outside)
			}
			if got := common(is, []span{{at(12), at(20)}}); got != tt.common {
				t.Errorf("active beside another: got %v, want %v", got, tt.common)
			}
		})
	}
	if got := fmt.Sprint(within([]span{{at(0), at(2)}, {at(3), at(5)}, {at(6), at(7)}}, at(1), at(4))); got != fmt.Sprint([]span{{at(1), at(2)}, {at(3), at(4)}}) {
		t.Errorf("within: got %v", got)
	}
}
