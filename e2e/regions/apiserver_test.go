package regions

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

// TestAPIServerDown has the API server of the active region answer nothing. That is no reason to let the lease go: nothing could be
// fenced. When it is lost all the same, the agent says of each layer that it is not fenced, the gate is shut, and the other region
// takes; when the API server is back, the fence is finished.
func TestAPIServerDown(t *testing.T) {
	w := newWorld(t)
	w.watch()
	active, other := w.settled()
	plane := planes.Planes(t)[slices.Index(w.regions, active)]
	epoch := active.Ask(t).Epoch
	plane.FreezeAPIServer(t)
	thawed := false
	t.Cleanup(func() {
		if !thawed {
			plane.ThawAPIServer(t)
		}
	})
	frozen := now()
	for now() < frozen.Add(2*ttl) {
		if s := active.Ask(t); s.State != lease.Active || !s.Authority || s.Epoch != epoch {
			t.Fatalf("%v after its API server was frozen %s is %s for epoch %d, authority %v; want it active for %d", now().Sub(frozen), active.Name, s.State, s.Epoch, s.Authority, epoch)
		}
		<-time.After(250 * time.Millisecond)
	}

	cut := now()
	active.Link.Hang()
	active.askedThrough(resolvers.Drops)
	w.await("the agent says that no layer is fenced", func() bool {
		s, err := active.Status(t.Context())
		return err == nil && s.State == lease.Fencing && !s.Authority && slices.ContainsFunc(s.Alarms, func(a daemon.Alarm) bool { return a.Code == lease.NoticeLayersLate })
	})
	w.await("the other region is active", func() bool {
		o, err := other.Status(t.Context())
		return err == nil && o.State == lease.Active && o.AllLayers("active")
	})
	var said []string
	w.await("the agent says of each layer why it is not fenced", func() bool {
		s, err := active.Status(t.Context())
		said = nil
		for _, l := range s.Layers {
			if l.State == "unknown" && strings.HasPrefix(l.Trouble, "fence: ") {
				said = append(said, l.Name+": "+l.Trouble)
			}
		}
		return err == nil && len(said) == 3
	})
	t.Logf("not fenced: %s", strings.Join(said, "\n"))
	samples := w.since(cut)
	if n, _ := count(samples, bothServe); n > 0 {
		t.Errorf("in %d of %d samples both regions serve, by a balancer that obeys the gate", n, len(samples))
	}
	if n, _ := count(samples, bothAuthority); n > 0 {
		t.Errorf("in %d of %d samples both regions hold authority", n, len(samples))
	}
	plane.ThawAPIServer(t)
	thawed = true
	back := now()
	t.Logf("fenced %v after the API server was back", w.is("fenced", active, view.fenced).Sub(back))
	active.Link.Heal()
	active.askedThrough(resolvers.Honest)
}
