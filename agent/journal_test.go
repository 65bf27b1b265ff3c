package agent_test

import (
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
)

// A testJournal keeps a region's entries, over restarts too. Every test's are replayed at its end.
type testJournal struct {
	mu      sync.Mutex
	entries []audit.Entry
	synced  int
	err     error         // of every attempt to write
	syncErr error         // of Sync
	hangs   chan struct{} // writes wait until it is closed; nil: they do not
}

func (j *testJournal) Append(kind audit.Kind, body any) error {
	j.mu.Lock()
	hangs, err := j.hangs, j.err
	j.mu.Unlock()
	if hangs != nil {
		<-hangs
	}
	if err != nil {
		return err
	}
	raw, err := json.Marshal(body)
	if err != nil {
		return err
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, audit.Entry{Seq: uint64(len(j.entries) + 1), Kind: kind, Body: raw})
	return nil
}

func (j *testJournal) Sync() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.synced = len(j.entries)
	return j.syncErr
}

func (j *testJournal) set(change func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	change()
}

// kinds counts the entries.
func (j *testJournal) kinds() map[audit.Kind]int {
	j.mu.Lock()
	defer j.mu.Unlock()
	kinds := map[audit.Kind]int{}
	for _, e := range j.entries {
		kinds[e.Kind]++
	}
	return kinds
}

// replay feeds all of it to the core, which wants the same.
func (j *testJournal) replay(t *testing.T, region lease.Region) audit.Replayed {
	t.Helper()
	var r audit.Replayer
	for _, e := range j.entries {
		if err := r.Take(e); err != nil {
			t.Errorf("%s: replay: %v: %+v", region, err, r.Result.Parted)
			break
		}
	}
	return r.Result
}

// TestJournal finds in the journal what a region did, and what it was told to do.
func TestJournal(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.params.Quorum = true
		a, b := w.regions["a"], w.regions["b"]
		a.start()
		b.start()
		w.until(15 * time.Second)
		if err := a.agent.Command(t.Context(), says(agent.SwitchOver, "b"), false); err != nil {
			t.Fatal(err)
		}
		w.until(20 * time.Second)
		kinds := a.journal.kinds()
		if kinds[audit.KindRun] != 1 || kinds[audit.KindStep] < 20 || kinds[audit.KindLayer] < 2 || kinds[audit.KindCommand] != 1 {
			t.Errorf("a's journal has %v, want one run, its steps, its layer's changes, and one command", kinds)
		}
		for i, e := range a.journal.entries {
			if e.Kind != audit.KindCommand {
				continue
			}
			if want := `{"verb":"switchover","region":"b","user":"ada","reason":"a test"}`; string(e.Body) != want {
				t.Errorf("the command is %s, want %s", e.Body, want)
			}
			if next := string(a.journal.entries[i+1].Body); !strings.Contains(next, `"HandOver"`) {
				t.Errorf("after the command comes %s, want the step that it leads to", next)
			}
		}
		if r := a.journal.replay(t, "a"); r.Runs != 1 || r.Steps != kinds[audit.KindStep] {
			t.Errorf("replayed: %+v, want one run and %d steps", r, kinds[audit.KindStep])
		}
	})
}

// TestJournalHangs has the disk hang: the lease goes on, and loses a moment once.
func TestJournalHangs(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.journal.hangs = make(chan struct{})
		a.start()
		w.regions["b"].start()
		w.until(5 * time.Minute)
		if s := a.agent.Status(); s.State != lease.Active {
			t.Errorf("a is %s, want active", s.State)
		}
		a.journal.set(func() { close(a.journal.hangs); a.journal.hangs = nil })
		w.until(6 * time.Minute)
		if kinds := a.journal.kinds(); kinds[audit.KindRun] != 1 || kinds[audit.KindStep] < 100 {
			t.Errorf("when the disk goes on the journal has %v, want all that has waited", kinds)
		}
	})
}

// TestJournalFails has the disk be full for a while: it is told once, the lease goes on, and the journal says how much is missing.
func TestJournalFails(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.start()
		w.regions["b"].start()
		w.until(time.Minute)
		a.journal.set(func() { a.journal.err = errors.New("no space left on device") })
		w.until(2 * time.Minute)
		if trouble := a.agent.Status().Witness.Trouble["write_journal"]; !strings.Contains(trouble, "no space left") {
			t.Errorf("the status says %q of the journal, want that there is no space", trouble)
		}
		a.journal.set(func() { a.journal.err = nil })
		w.until(3 * time.Minute)
		if s := a.agent.Status(); s.State != lease.Active || s.Witness.Trouble["write_journal"] != "" {
			t.Errorf("a is %s, and says %q of the journal; want it active, and no trouble", s.State, s.Witness.Trouble["write_journal"])
		}
		if kinds := a.journal.kinds(); kinds[audit.KindGap] != 1 {
			t.Errorf("the journal has %v, want one gap", kinds)
		}
		a.kill()
		a.start()
		w.until(4 * time.Minute)
		if r := a.journal.replay(t, "a"); r.Runs != 2 || r.Skipped == 0 {
			t.Errorf("replayed: %+v, want two runs, and what comes after the gap left out", r)
		}
	})
}

// TestJournalDoesNotSync has every entry be written, and nothing of it be known to last: that stands until a sync says otherwise, and
// is told once.
func TestJournalDoesNotSync(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.start()
		w.regions["b"].start()
		w.until(time.Minute)
		trouble := func() string { return a.agent.Status().Witness.Trouble["write_journal"] }
		command := func(verb string) {
			t.Helper()
			if err := a.agent.Command(t.Context(), audit.Command{Verb: verb, For: time.Hour, User: "ada", Reason: "a test"}, false); err != nil {
				t.Fatal(err)
			}
		}
		a.journal.set(func() { a.journal.syncErr = errors.New("input/output error") })
		command(agent.Pause)
		w.until(2 * time.Minute)
		if got, log := trouble(), a.log.String(); !strings.Contains(got, "input/output error") || strings.Count(log, "write_journal") != 1 {
			t.Errorf("the status says %q of the journal, want an input/output error, told once: %s", got, log)
		}
		a.journal.set(func() { a.journal.syncErr = nil })
		command(agent.Resume)
		w.until(3 * time.Minute)
		if got := trouble(); got != "" {
			t.Errorf("it is synced again: the status says %q of the journal, want nothing", got)
		}
		if kinds := a.journal.kinds(); kinds[audit.KindGap] != 0 {
			t.Errorf("the journal has %v, want no gap", kinds)
		}
	})
}
