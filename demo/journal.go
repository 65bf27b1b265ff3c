package demo

import (
	"crypto/ed25519"
	"fmt"
	"path/filepath"

	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
)

// journal is what an agent writes down, of one life. It is not synced to disk: of what the demo does to
// its agents, nothing but the end of the machine would need that, and the gaps are not to hang on the disk.
type journal struct {
	*audit.Journal
	life *life
}

func (j journal) Append(kind audit.Kind, body any) error {
	return j.life.effect(func() error { return j.Journal.Append(kind, body) })
}

func (j journal) Sync() error { return nil }

// journalDir is the folder of a region's journal.
func (r *region) journalDir() string { return filepath.Join(r.stateDir, "audit") }

// A Journal is what became of a region's journal when it was verified and replayed, as `failoverd audit`
// does.
type Journal struct {
	Region  lease.Region `json:"region"`
	Entries int          `json:"entries"`
	Runs    int          `json:"runs"`            // of its agent
	Steps   int          `json:"steps"`           // of its lease that, told the same again, wants the same done
	Wrong   string       `json:"wrong,omitempty"` // empty: nothing is
}

// audited verifies and replays the journal of a region that has ended.
func (r *region) audited() Journal {
	j := Journal{Region: r.name}
	verdict, err := audit.Verify(r.journalDir(), []ed25519.PublicKey{r.identities[r.name].Public().(ed25519.PublicKey)}, nil)
	j.Entries = verdict.Entries
	switch {
	case err != nil:
		j.Wrong = err.Error()
		return j
	case len(verdict.Problems) > 0:
		j.Wrong = verdict.Problems[0]
		return j
	}
	replayed, err := audit.Replay(r.journalDir())
	j.Runs, j.Steps = replayed.Runs, replayed.Steps
	switch p := replayed.Parted; {
	case err != nil:
		j.Wrong = err.Error()
	case p != nil:
		j.Wrong = fmt.Sprintf("entry %d: told %s, the lease now wants %q, and wanted %q", p.Seq, p.Event, p.Now, p.Written)
	case replayed.Skipped > 0:
		j.Wrong = fmt.Sprintf("%d steps can't be replayed: entries are missing", replayed.Skipped)
	}
	return j
}
