package instances

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/lease"
)

func now() lease.Instant { return bootclock.Clock{}.Now() }

// A record is what the witness saw of a region.
type record struct {
	ttl time.Duration

	mu     sync.Mutex
	writes []write
}

// A write is a flag of an active region that the witness has acknowledged.
type write struct {
	arrived, answered lease.Instant
	epoch, term       uint64
}

// watch records the writes of the region's flag, at the witness.
func (r *record) watch(req kvserver.Request) func(int) {
	flag, _, ok := daemon.FlagIn(req)
	if !ok {
		return nil
	}
	w := write{arrived: now(), epoch: flag.Epoch, term: flag.Term}
	return func(status int) {
		if status != http.StatusOK || flag.State != lease.FlagActive {
			return
		}
		w.answered = now()
		r.mu.Lock()
		defer r.mu.Unlock()
		r.writes = append(r.writes, w)
	}
}

func (r *record) seen() []write {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.writes)
}

// A span is what the writes of a region say of its authority between two instants.
type span struct {
	writes int
	gap    time.Duration // for so long in all it had none
	least  time.Duration // for so long at least it stood yet when it was renewed
	epochs []uint64
}

// authority looks at a region between two instants: each write gives authority from its sending on, which is no later than its
// arrival, and what has passed is not extended (§2).
func (r *record) authority(from, to lease.Instant) span {
	s := span{least: r.ttl}
	until := from // by the writes so far
	for _, w := range r.seen() {
		if w.answered > to {
			break
		}
		if w.answered >= from {
			s.writes++
			s.gap += max(0, w.answered.Sub(until))
			s.least = min(s.least, until.Sub(w.answered))
			if !slices.Contains(s.epochs, w.epoch) {
				s.epochs = append(s.epochs, w.epoch)
			}
		}
		until = max(until, w.arrived.Add(r.ttl))
	}
	s.gap += max(0, to.Sub(until))
	return s
}

// until is when the authority ends that the writes of an epoch have given.
func (r *record) until(epoch uint64) (until lease.Instant) {
	for _, w := range r.seen() {
		if w.epoch == epoch {
			until = max(until, w.arrived.Add(r.ttl))
		}
	}
	return until
}

// fences are the runs of instances' hooks that fenced, between two instants.
func fences(t *testing.T, instances []*daemon.Region, from, to lease.Instant) (out []daemon.HookRun) {
	t.Helper()
	for _, i := range instances {
		runs, err := i.HookRuns()
		if err != nil {
			t.Fatal(err)
		}
		for _, run := range runs {
			if run.Action == "fence" && run.At >= from && run.At <= to {
				out = append(out, run)
			}
		}
	}
	return out
}

// kept judges whether fsn has kept its authority for an epoch between two instants, and says what is against it.
func (w *world) kept(epoch uint64, from, to lease.Instant) (s span, against []string) {
	w.t.Helper()
	s = w.fsn.authority(from, to)
	if s.gap > 0 {
		against = append(against, fmt.Sprintf("for %v its writes gave no authority", s.gap))
	}
	if !slices.Equal(s.epochs, []uint64{epoch}) && s.writes > 0 {
		against = append(against, fmt.Sprintf("it wrote for epochs %d, want %d alone", s.epochs, epoch))
	}
	if runs := fences(w.t, w.instances, from, to); len(runs) > 0 {
		against = append(against, fmt.Sprintf("its hooks fenced: %+v", runs))
	}
	history, err := w.hel.History()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, h := range history {
		if h.To == lease.Active || h.To == lease.Candidate {
			against = append(against, fmt.Sprintf("hel became %s: %s", h.To, h.Reason))
		}
	}
	return s, against
}

// TestRecord shows that each of the things that must not be is seen.
func TestRecord(t *testing.T) {
	at := func(ms int) lease.Instant { return lease.Instant(0).Add(time.Duration(ms) * time.Millisecond) }
	const second = time.Second
	for name, tt := range map[string]struct {
		writes []write
		to     lease.Instant
		want   span
	}{
		"renewed by another instance": {[]write{{at(0), at(100), 1, 1}, {at(4000), at(4100), 1, 2}}, at(9000), span{1, 0, 5900 * time.Millisecond, []uint64{1}}},
		"not renewed":                 {[]write{{at(0), at(100), 1, 1}}, at(12000), span{0, 2 * second, 10 * second, nil}},
		"answered late":               {[]write{{at(0), at(100), 1, 1}, {at(4000), at(10500), 1, 1}}, at(11000), span{1, second / 2, -second / 2, []uint64{1}}},
		"of another epoch":            {[]write{{at(0), at(100), 1, 1}, {at(4000), at(4000), 2, 1}}, at(9000), span{1, 0, 6 * second, []uint64{2}}},
		"after the end":               {[]write{{at(0), at(100), 1, 1}, {at(4000), at(4000), 1, 1}, {at(30000), at(30000), 2, 1}}, at(14000), span{1, 0, 6 * second, []uint64{1}}},
	} {
		r := &record{ttl: 10 * second, writes: tt.writes}
		if got := r.authority(at(1000), tt.to); fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}
