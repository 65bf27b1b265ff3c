package agent_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/lease"
)

// probes are one that goes out and one that does not; the test says what they see.
func (r *region) probes() (probes []agent.Probe) {
	for _, kind := range []health.Kind{health.HTTP, health.NodesReady} {
		probes = append(probes, agent.Probe{
			Signal: health.Signal{Name: string(kind), Kind: kind, Interval: 5 * time.Second}, Timeout: 2 * time.Second,
			Look: func(context.Context) (health.Verdict, string) {
				r.mu.Lock()
				v, ok := r.verdicts[string(kind)]
				takes := r.looking
				r.mu.Unlock()
				if takes > 0 { // a timer of no time at all crashes the race detector, now and then, in a synctest bubble
					time.Sleep(takes)
				}
				if !ok {
					v = health.Well
				}
				return v, "as the test says"
			},
		})
	}
	return probes
}

// find has probes of a region see something.
func (r *region) find(v health.Verdict, kinds ...health.Kind) {
	r.set(func() {
		if r.verdicts == nil {
			r.verdicts = map[string]health.Verdict{}
		}
		for _, k := range kinds {
			r.verdicts[string(k)] = v
		}
	})
}

// degradable is a world whose regions hand over when they are degraded.
func degradable(w *world) (a, b *region) {
	w.params.Quorum, w.params.MaxHandOvers, w.params.HandOverWindow = true, 2, time.Hour
	a, b = w.regions["a"], w.regions["b"]
	a.start()
	b.start()
	w.until(20 * time.Second)
	return a, b
}

// activations are the lines that tell of a region becoming active.
func (w *world) activations() (n int) {
	for _, l := range w.lines {
		if strings.Contains(l, " layer active, ") {
			n++
		}
	}
	return n
}

// TestDegraded: one signal is ill. When it has been for degraded_after the region hands over, and does not take back before
// recovered_after.
func TestDegraded(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := degradable(w)
		w.lines = nil
		a.find(health.Ill, health.HTTP)
		began := 25 * time.Second // the next look finds it
		w.until(began + 29*time.Second)
		if s := a.agent.Status(); s.State != lease.Active || s.Health.Degraded || s.Health.Signals[0].Verdict != health.Ill {
			t.Errorf("29 s later a is %s, its health %+v: want it active, with a signal that is ill", s.State, s.Health)
		}
		w.until(began + 32*time.Second)
		if s := b.agent.Status(); s.State != lease.Active || s.Epoch != 2 {
			t.Errorf("32 s later b is %s for epoch %d, want it active for 2: %q", s.State, s.Epoch, w.lines)
		}
		t.Logf("from degraded_after on: %q", w.lines)
		s := a.agent.Status()
		if s.Reason.Code != lease.ReasonFenced || !s.Health.Degraded || !slices.Contains(a.history, lease.Fencing) {
			t.Errorf("a is %s (%s), its health %+v", s.State, s.Reason.Code, s.Health)
		}

		// The others know, and why.
		w.until(began + 2*time.Minute)
		peer := b.agent.Status().Peers[0]
		if !peer.Quorum.Degraded || len(peer.Degraded) != 1 || !strings.HasPrefix(peer.Degraded[0], "http since 2000-01-01T") {
			t.Errorf("b knows of a: %+v", peer)
		}

		// b is degraded too: it goes on, and says why.
		b.find(health.Ill, health.HTTP, health.NodesReady)
		w.until(began + 3*time.Minute)
		status := b.agent.Status()
		closed := ""
		for _, g := range status.Health.Gates {
			if !g.Open {
				closed += string(g.Code)
			}
		}
		if status.State != lease.Active || closed != string(lease.GateFit) {
			t.Errorf("b is %s, and waits for %q", status.State, closed)
		}

		// a recovers: only then does b hand over.
		a.find(health.Well, health.HTTP)
		w.until(began + 3*time.Minute + 5*time.Minute)
		if s := b.agent.Status(); s.State != lease.Active {
			t.Errorf("before recovered_after b is %s", s.State)
		}
		w.until(began + 3*time.Minute + 5*time.Minute + 10*time.Second)
		if s := a.agent.Status(); s.State != lease.Active || s.Health.Degraded {
			t.Errorf("after recovered_after a is %s, its health %+v", s.State, s.Health)
		}
	})
}

// TestBehind: the region is degraded, and the data of the other one too far behind. It hands over when that has caught up.
func TestBehind(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := degradable(w)
		b.set(func() { b.behind = []string{"shop/db lacks 20.0 MiB"} })
		w.until(25 * time.Second)
		if s := b.agent.Status(); !slices.Equal(s.Behind, []string{"test shop/db lacks 20.0 MiB"}) {
			t.Errorf("b says that it is behind with %q", s.Behind)
		}
		a.find(health.Ill, health.HTTP, health.NodesReady)
		w.until(2 * time.Minute)
		s := a.agent.Status()
		peer := s.Peers[0]
		if s.State != lease.Active || !s.Health.Degraded || !peer.Quorum.Behind || len(peer.Behind) != 1 {
			t.Errorf("a is %s, and knows of b: %+v, %+v", s.State, peer, peer.Quorum)
		}
		for _, g := range s.Health.Gates {
			if g.Open == (g.Code == lease.GateFit) {
				t.Errorf("the gate %s is open: %v", g.Code, g.Open)
			}
		}
		b.set(func() { b.behind = nil })
		w.until(2*time.Minute + 10*time.Second)
		if s := b.agent.Status(); s.State != lease.Active {
			t.Errorf("caught up, b is %s", s.State)
		}
	})
}

// TestFlapping: two signals are ill and well, ten times in a minute. There is one hand-over.
func TestFlapping(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := degradable(w)
		w.lines = nil
		for i := range 20 {
			a.find([]health.Verdict{health.Ill, health.Well}[i%2], health.HTTP, health.NodesReady)
			if i%2 == 0 {
				w.until(20*time.Second + time.Duration(i)*3*time.Second + 5*time.Second) // two looks see it, now and then
			} else {
				w.until(20*time.Second + time.Duration(i)*3*time.Second + 6*time.Second)
			}
		}
		w.until(10 * time.Minute)
		if s := b.agent.Status(); s.State != lease.Active || w.activations() != 1 {
			t.Errorf("b is %s after %d activations, want it active after one: %q", s.State, w.activations(), w.lines)
		}
	})
}

// TestIllItself: an agent that is short of time, or has no way out, takes its own trouble for nobody else's.
func TestIllItself(t *testing.T) {
	for _, tt := range []struct {
		name   string
		spoil  func(w *world, a *region) (mend func())
		detail string
	}{
		{"short of time", func(_ *world, a *region) func() {
			a.find(health.Ill, health.HTTP, health.NodesReady)
			a.set(func() { a.looking = 12 * time.Second })
			return func() {}
		}, "short of time itself"},
		{"cut off", func(w *world, a *region) func() {
			w.store.hang()
			a.set(func() { a.deaf = true })
			w.until(40 * time.Second) // it has noticed
			a.find(health.Ill, health.HTTP)
			return w.store.heal
		}, "no way out itself"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				a, _ := degradable(w)
				mend := tt.spoil(w, a)
				w.until(5 * time.Minute)
				s := a.agent.Status().Health
				if s.Degraded || !strings.Contains(s.Signals[0].Detail, tt.detail) {
					t.Errorf("got %s, want it not degraded, as it is %s", fmt.Sprintf("%+v", s), tt.detail)
				}
				mend()
			})
		})
	}
}
