package monitoring_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

// before is for how long nothing happens before the faults, and nothing may fire; it is minutes by the rules' durations here.
const before = 15 * time.Second

// TestLive has Prometheus watch three agents, first in calm, then through faults, each of which its alert is to fire for. TestInstances
// has the rest.
func TestLive(t *testing.T) {
	t.Parallel()
	w := newWorld(t, quick, quickHealth)
	w.watch(hasten)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	holder, standbys := w.settle()
	w.await("the layers' states have been scraped", func() bool {
		return len(w.query(`failoverd_layer_state{state="active"} == 1`)) == 1 && len(w.query(`failoverd_layer_state{state="inactive"} == 1`)) == 2
	})
	began := time.Now()
	w.await("calm", func() bool { return time.Since(began) > before })
	if fired := w.firing("15s"); len(fired) > 0 {
		t.Errorf("in calm, %q fired", fired)
	}
	w.metadata()
	w.dashboard()

	// The holder's disk, its reads, a standby's gateway, and the other one's reads, old by less than what would throw it out.
	saved := filepath.Join(holder.StateDir(), "authority.json")
	w.fires("state_dir can't be written, stale reads of the own record and of another's, a gateway that is down", func() {
		must(os.Rename(saved, saved+".away"))
		must(os.MkdirAll(filepath.Join(saved, "full"), 0o700))
		holder.Link.Stale(time.Hour)
		standbys[0].ill.Store(true)
		standbys[1].Link.Stale(4 * time.Second)
	}, "FailoverdRegionDegraded "+string(standbys[0].Name), "FailoverdWitnessStale "+string(holder.Name),
		"FailoverdWitnessStale "+string(standbys[1].Name), "FailoverdAlarm "+string(holder.Name))
	must(os.RemoveAll(saved))
	holder.Link.Stale(0)
	standbys[0].ill.Store(false)
	standbys[1].Link.Stale(0)
	w.settle()

	// A layer that can be neither activated nor fenced, in the region that is to be active.
	to := standbys[1]
	layer := to.LayerFile()
	w.await("a hand-over is possible", func() bool { return len(w.query(`failoverd_quorum_reached == 1`)) == 6 })
	w.fires("a layer can't be activated", func() {
		must(os.Rename(layer, layer+".away"))
		must(os.MkdirAll(layer, 0o700))
		if code, out, err := holder.CLI(t.Context(), "switchover", "--to", string(to.Name), "--yes", "--reason", "test"); err != nil || code != 0 {
			t.Fatalf("switchover: exit code %d, %v: %s", code, err, out)
		}
	}, "FailoverdLayersInactive "+string(to.Name))
	w.fires("the active agent is frozen", func() { must(to.Process().Freeze(t.Context())) }, "FailoverdDown "+string(to.Name))
	w.await("another region is active", func() bool {
		for _, r := range w.regions {
			if r != to {
				if s, err := r.Status(t.Context()); err == nil && s.State == lease.Active {
					return true
				}
			}
		}
		return false
	})
	w.fires("it thaws, and can't fence", func() { must(to.Process().Thaw()) },
		"FailoverdAuthorityRunningOut "+string(to.Name), "FailoverdLayersNotFenced "+string(to.Name))
	must(os.Remove(layer))
	must(os.Rename(layer+".away", layer))
	holder, standbys = w.settle()

	// One that is started with other parameters, and can't be asked.
	other := standbys[0]
	must(other.Process().Kill())
	must(os.WriteFile(other.ConfigFile(), []byte(strings.Replace(other.YAML(), "ttl: 10s", "ttl: 11s", 1)), 0o600))
	other.Start(t)
	w.fires("a region has another ttl, and is not reached", func() { other.door.Set(resolvers.Drops) },
		"FailoverdParametersDiffer "+string(holder.Name), "FailoverdQuorumLost "+string(holder.Name))
	must(other.Process().Kill())
	must(os.WriteFile(other.ConfigFile(), []byte(other.YAML()), 0o600))
	other.door.Set(resolvers.Honest)
	other.Start(t)
	holder, standbys = w.settle()

	// The witness is down, and then the holder dies: nobody can take.
	w.fires("the witness is down", func() {
		for _, r := range w.regions {
			r.Link.Refuse()
		}
	}, "FailoverdWitnessDown "+string(standbys[0].Name))
	w.fires("the active region dies, too", func() { must(holder.Process().Kill()) }, "FailoverdNoHolder")
	for _, r := range w.regions {
		r.Link.Heal()
	}
	w.await("one of the others is active", func() bool {
		return len(w.query(`failoverd_lease_holder{holder!="`+string(holder.Name)+`"} == 1`)) > 0
	})
	for _, a := range w.firing("15m") {
		if strings.HasPrefix(a, "FailoverdTwoHolders") || strings.HasPrefix(a, "FailoverdSplitBrain") {
			t.Errorf("%s has fired", a)
		}
	}

	// The witness's store comes apart: each of the two that are left reads what it has written itself, and nothing else that is new.
	holder = nil
	w.await("one of them says that it is active", func() bool {
		for _, r := range w.regions {
			if s, err := r.Status(t.Context()); err == nil && s.State == lease.Active {
				holder = r
			}
		}
		return holder != nil
	})
	w.fires("a store that has come apart, no way through the resolvers", func() {
		for _, r := range w.regions {
			r.Link.Split(string(r.Name))
			r.door.Set(resolvers.Drops)
		}
	}, "FailoverdTwoHolders")
	w.fires("the store is whole again", func() {
		for _, r := range w.regions {
			r.Link.Stale(0)
		}
	}, "FailoverdSplitBrain "+string(holder.Name))
}

// metadata compares the types of what was scraped with the page of the metrics.
func (w *world) metadata() {
	w.t.Helper()
	page, err := os.ReadFile(root + "/docs/metrics.md")
	if err != nil {
		w.t.Fatal(err)
	}
	var body struct {
		Data map[string][]struct{ Type, Help string }
	}
	if !w.get("/api/v1/metadata", &body) {
		w.t.Fatal("Prometheus does not tell its metadata")
	}
	n := 0
	for name, all := range body.Data {
		if !strings.HasPrefix(name, "failoverd_") {
			continue
		}
		n++
		want := "| `" + name + "` | " + all[0].Type + " | "
		if i := strings.Index(string(page), want); i < 0 || !strings.Contains(strings.SplitN(string(page[i:]), "\n", 2)[0], all[0].Help) {
			w.t.Errorf("docs/metrics.md has no row that begins with %q and says %q", want, all[0].Help)
		}
	}
	if n < 20 {
		w.t.Errorf("%d metrics of failoverd were scraped, want more", n)
	}
}
