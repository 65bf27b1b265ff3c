package storm

import (
	"crypto/ed25519"
	"fmt"
	"path/filepath"

	"github.com/openova-io/failoverd/audit"
)

// journals says what is wrong with the instances' journals: each is as it was written, and the core, told the same again, wants
// the same done.
func (w *world) journals() (bad []string) {
	w.t.Helper()
	var entries, runs, steps, skipped int
	for _, i := range w.instances {
		dir := filepath.Join(i.StateDir(), "audit")
		key, err := audit.ParseKey(w.keys[i.Name])
		must(w.t, err)
		v, err := audit.Verify(dir, []ed25519.PublicKey{key}, nil)
		must(w.t, err)
		for _, p := range v.Problems {
			bad = append(bad, fmt.Sprintf("%v: journal: %s", i, p))
		}
		r, err := audit.Replay(dir)
		must(w.t, err)
		if r.Parted != nil {
			bad = append(bad, fmt.Sprintf("%v: journal: replayed, entry %d parts: %+v", i, r.Parted.Seq, r.Parted))
		}
		entries, runs, steps, skipped = entries+v.Entries, runs+r.Runs, steps+r.Steps, skipped+r.Skipped
	}
	w.t.Logf("journals: %d entries, each signed; replayed: %d runs, %d steps that are the same, %d left out behind gaps", entries, runs, steps, skipped)
	return bad
}
