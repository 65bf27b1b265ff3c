package daemon

import (
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/openova-io/failoverd/audit"
)

// Audit verifies and replays the journals that the regions' agents have kept, and says what is wrong: each is as it was written,
// the lease, told the same again, wants the same done, and all of them together keep the protocol, as Judge sees it. The regions are all of
// the group, with all their agents, and none runs any more. It logs how much that was.
func Audit(tb testing.TB, regions ...*Region) (bad []string) {
	tb.Helper()
	var entries, runs, steps, skipped int
	for _, r := range regions {
		of, dir := string(r.Name)+" "+r.instance, filepath.Join(r.StateDir(), "audit")
		key, err := audit.ParseKey(r.group.Params.Keys[r.Name])
		if err != nil {
			tb.Fatalf("daemon: %v", err)
		}
		v, err := audit.Verify(dir, []ed25519.PublicKey{key}, nil)
		if err != nil {
			tb.Fatalf("daemon: %s: %v", of, err)
		}
		for _, p := range v.Problems {
			bad = append(bad, fmt.Sprintf("%s: journal: %s", of, p))
		}
		replayed, err := audit.Replay(dir)
		if err != nil {
			tb.Fatalf("daemon: %s: %v", of, err)
		}
		if p := replayed.Parted; p != nil {
			bad = append(bad, fmt.Sprintf("%s: journal: replayed, entry %d parts: %+v", of, p.Seq, p))
		}
		if replayed.Steps == 0 {
			bad = append(bad, fmt.Sprintf("%s: journal: nothing to replay in %d entries", of, v.Entries))
		}
		entries, runs, steps, skipped = entries+v.Entries, runs+replayed.Runs, steps+replayed.Steps, skipped+replayed.Skipped
	}
	tb.Logf("journals: %d entries, each signed; replayed: %d runs, %d steps that are the same, %d left out behind gaps", entries, runs, steps, skipped)
	return append(bad, Judge(tb, regions...)...)
}
