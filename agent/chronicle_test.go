package agent_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/layers"
)

// chronicle is what the history of a region says of all that came since it was read last, a line each: the state, and what came
// of the transition.
func (r *region) chronicle() string {
	dir := r.world.t.TempDir()
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := os.WriteFile(filepath.Join(dir, "history.jsonl"), r.lines, 0o600); err != nil {
		r.world.t.Fatal(err)
	}
	r.lines = nil
	all, err := statedir.ReadHistory(dir, 0)
	if err != nil {
		r.world.t.Fatal(err)
	}
	var lines []string
	for _, e := range all {
		lines = append(lines, string(e.To))
		for _, detail := range e.Details() {
			lines = append(lines, "  "+detail)
		}
	}
	return strings.Join(lines, "\n")
}

func (r *region) wantChronicle(want string) {
	r.world.t.Helper()
	if got, want := r.chronicle(), strings.ReplaceAll(strings.TrimSpace(want), "\t", ""); got != want {
		r.world.t.Errorf("the history of %s:\n%s\nwant:\n%s", r.name, got, want)
	}
}

// TestHistoryOfFailover: who takes over from a region that is dead knows of it what the witness said; its gap is no shorter than the
// true one.
func TestHistoryOfFailover(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a, b := w.regions["a"], w.regions["b"]
		b.data = []layers.Position{{Object: "shop/db", At: "0/5000", Before: "a", Last: "0/5400", Silence: 31, Lacks: 1024}}
		a.start()
		b.start()
		w.until(45 * time.Second)
		a.freeze() // dead, for the others; it wrote at 40.2 last
		w.until(75 * time.Second)
		a.wantChronicle(`
			fencing
			  fence test: after 0.00 s
			standby
			candidate
			active
			  gap: nobody is known to have been active before
			  activate test: after 0.00 s`)
		b.wantChronicle(`
			fencing
			  fence test: after 0.00 s
			  data: shop/db was at 0/5000; a was at 0/5400 31 s before: 1024 bytes are lost, and what it wrote later
			standby
			candidate
			active
			  gap: no region was active for at most 32.32 s: the newest word that a was came 30.22 s before, and was up to 2.10 s old
			  activate test: after 0.00 s
			  data: shop/db was at 0/5000; a was at 0/5400 31 s before: 1024 bytes are lost, and what it wrote later
			  out of service for at most 32.32 s, until the last layer was active`)
		a.thaw()
		w.until(80 * time.Second)
		// It has stood still since 42.2, for all that is known, and its dead-man gate with it.
		a.wantChronicle(`
			fencing
			  gap: no region was active for at most 32.88 s: then came the first word that b was, for epoch 2
			  fence test: after 0.00 s
			standby`)
		for _, e := range b.journal.entries {
			var of audit.Layer
			if e.Kind != audit.KindLayer {
				continue
			}
			if err := json.Unmarshal(e.Body, &of); err != nil || len(of.Data) != 1 || of.Data[0] != b.data[0] {
				t.Errorf("the journal says of the layer: %s", e.Body)
			}
		}
	})
}

// TestHistoryOfSwitchOver: both sides have a bound of the gap, and the one that commands has who did.
func TestHistoryOfSwitchOver(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.params.Quorum = true
		a, b := w.regions["a"], w.regions["b"]
		a.start()
		b.start()
		w.until(15 * time.Second)
		a.chronicle()
		b.chronicle()
		if err := a.agent.Command(t.Context(), says(agent.SwitchOver, "b"), false); err != nil {
			t.Fatal(err)
		}
		w.until(20 * time.Second)
		a.wantChronicle(`
			fencing
			  switchover (b) by ada: a test
			  gap: no region was active for at most 0.65 s: then came the first word that b was, for epoch 2
			  fence test: after 0.00 s
			standby`)
		b.wantChronicle(`
			active
			  gap: no region was active for at most 3.10 s: the newest word that a was came 1.00 s before, and was up to 2.10 s old
			  activate test: after 0.00 s
			  out of service for at most 3.10 s, until the last layer was active`)
	})
}
