package agent_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// inSeveral is inWorld with three witnesses, of which the first may be a minute stale, and without a quorum that could make
// up for them.
func inSeveral(t *testing.T, test func(t *testing.T, w *world)) {
	inWorld(t, func(t *testing.T, w *world) {
		w.params.Staleness = time.Minute
		w.params.Witnesses = []lease.WitnessParams{{Name: "kv", Staleness: time.Minute}, {Name: "s3"}, {Name: "etcd"}}
		for range w.params.Witnesses {
			w.stores = append(w.stores, &store{values: map[string][]byte{}})
		}
		test(t, w)
	})
}

// TestSeveralWitnesses: whichever of three is down or hangs, authority goes on, and is taken over from a dead region
// within the bound of the other two. With two down it ends, as with none.
func TestSeveralWitnesses(t *testing.T) {
	for name, harm := range map[string]func(s *store){
		"down":  func(s *store) { s.set(errors.New("no route")) },
		"hangs": func(s *store) { s.hang() },
	} {
		for i, bad := range []string{"kv", "s3", "etcd"} {
			t.Run(bad+" "+name, func(t *testing.T) {
				inSeveral(t, func(t *testing.T, w *world) {
					a, b := w.regions["a"], w.regions["b"]
					a.start()
					b.start()
					w.until(50 * time.Second)
					if s := a.agent.Status(); s.State != lease.Active {
						t.Fatalf("a is %s, want it to have taken by the two that are never stale", s.State)
					}
					harm(w.stores[i])
					w.until(200 * time.Second)
					s := a.agent.Status()
					if s.State != lease.Active || s.Epoch != 1 || !s.Witness.Up {
						t.Errorf("a is %s, epoch %d, witness up %v; want it active since the start, with a majority that is up", s.State, s.Epoch, s.Witness.Up)
					}
					for k, of := range s.Witnesses {
						if of.Up != (k != i) {
							t.Errorf("%s: up %v, want %v", of.Name, of.Up, k != i)
						}
					}
					if _, page := a.get("/metrics"); !strings.Contains(page, `failoverd_witness_up{witness="`+bad+`"} 0`) || strings.Count(page, "failoverd_witness_up{") != 3 {
						t.Error("the metrics do not tell which of three is down")
					}
					if log := a.log.String(); !strings.Contains(log, " witness="+bad) || strings.Count(log, "reason=witness_unreachable") != strings.Count(log, " witness="+bad) {
						t.Errorf("the log does not tell which of three is down:\n%s", log)
					}
					a.freeze() // dead, for the others; it has renewed 10 s ago at the most
					within := w.params.LongestGapFresh(0)
					if bad == "kv" {
						within = w.params.EarliestTakeover() + w.params.PollInterval
					}
					w.until(200*time.Second + within + time.Second)
					if s := b.agent.Status(); s.State != lease.Active || s.Epoch != 2 {
						t.Errorf("%v after the last renewal b is %s, epoch %d; want active, epoch 2", within, s.State, s.Epoch)
					}
					if name == "hangs" {
						w.stores[i].heal() // what hangs would hold up the end
					}
				})
			})
		}
	}
	t.Run("two down", func(t *testing.T) {
		inSeveral(t, func(t *testing.T, w *world) {
			a, b := w.regions["a"], w.regions["b"]
			a.start()
			b.start()
			w.until(50 * time.Second)
			w.stores[0].set(errors.New("no route"))
			w.stores[2].set(errors.New("no route"))
			w.until(300 * time.Second)
			for _, r := range []*region{a, b} {
				if s := r.agent.Status(); s.Authority || s.Witness.Up {
					t.Errorf("%s: authority %v, witness up %v; want neither without a majority", r.name, s.Authority, s.Witness.Up)
				}
			}
			w.stores[0].set(nil)
			w.until(500 * time.Second)
			if a, b := a.agent.Status(), b.agent.Status(); a.Authority == b.Authority {
				t.Errorf("a has authority: %v, b: %v; want it of one, with a majority again", a.Authority, b.Authority)
			}
		})
	})
}
