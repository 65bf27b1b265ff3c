package instances

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// A fate is what becomes of the instance that acts.
type fate string

const (
	killed  fate = "killed"
	frozen  fate = "frozen"
	stopped fate = "asked to stop"
)

var fates = []fate{killed, frozen, stopped}

// A round is what became of the instance that acts once.
type round struct {
	fate  fate
	took  time.Duration // until another one acted
	kept  bool          // the region kept its authority
	least time.Duration // for so long its authority stood yet, when it was renewed
}

// TestHeir has the instance that acts die, freeze and stop, in turn. Each time another one goes on with the region's authority,
// and hel never takes.
func TestHeir(t *testing.T) {
	var mu sync.Mutex
	var all []round
	inWorlds(t, func(w *world, acts *daemon.Region) {
		for n := range *rounds {
			w.anyMoment()
			r := w.loses(&acts, fates[n%len(fates)])
			mu.Lock()
			all = append(all, r)
			mu.Unlock()
			if !r.kept {
				break // another region may be active now: the next round is none
			}
		}
	})
	t.Log("\n" + table(all))
}

// loses has a world lose the instance that acts.
func (w *world) loses(acts **daemon.Region, f fate) round {
	w.t.Helper()
	at := *acts
	before := at.Ask(w.t)
	begun := now()
	switch f {
	case killed:
		must(w.t, at.Process().Kill())
	case frozen:
		must(w.t, at.Process().Freeze(w.t.Context()))
	case stopped:
		must(w.t, at.Process().Terminate())
	}
	heir := w.heir(at, string(f))
	r := round{fate: f, took: now().Sub(begun)}
	if f == frozen {
		must(w.t, at.Process().Thaw())
	} else {
		w.startAgain(at)
	}
	next, epoch := w.acting("after it was " + string(f))
	if next != heir {
		w.t.Errorf("%s: the heir does not act any more", f)
	}
	s, against := w.kept(before.Epoch, begun, now())
	if r.kept, r.least = len(against) == 0, s.least; !r.kept {
		w.t.Errorf("%s, epoch %d, then %d: %s", f, before.Epoch, epoch, strings.Join(against, "; "))
		for _, run := range fences(w.t, w.instances, begun, now()) {
			if until := w.fsn.until(before.Epoch); run.Phase == "end" && run.At > until {
				w.t.Errorf("%s: fenced %v after its authority had ended", f, run.At.Sub(until))
			}
		}
	}
	*acts = next
	return r
}

// table sums up the rounds of each fate.
func table(all []round) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%-16s %12s   %s\n", "the one that acts is", "authority kept", "another one acts after (least, median, 90 %, most); authority left at the latest renewal")
	for _, f := range fates {
		var took []time.Duration
		kept, least := 0, time.Hour
		for _, r := range all {
			if r.fate == f {
				took, least = append(took, r.took), min(least, r.least)
				if r.kept {
					kept++
				}
			}
		}
		if n := len(took); n > 0 {
			slices.Sort(took)
			fmt.Fprintf(&out, "%-20s %6d of %3d   %.2f %.2f %.2f %.2f s; %.1f s\n", f, kept, n,
				took[0].Seconds(), took[n/2].Seconds(), took[n*9/10].Seconds(), took[n-1].Seconds(), least.Seconds())
		}
	}
	return out.String()
}
