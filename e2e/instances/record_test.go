package instances

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

func now() lease.Instant { return bootclock.Clock{}.Now() }

// A record is what the witness saw of a region.
type record struct {
	daemon.Renewals
	ttl time.Duration
}

// A span is what the writes of a region say of its authority between two instants.
type span struct {
	writes int
	gap    time.Duration // for so long in all it had none
	least  time.Duration // for so long at least it stood yet when it was renewed
	epochs []uint64
}

// authority looks at a region between two instants.
func (r *record) authority(from, to lease.Instant) span { return authority(r.All(), r.ttl, from, to) }

// authority is what renewals give. What has passed is not extended (§2).
func authority(renewals []daemon.Renewal, ttl time.Duration, from, to lease.Instant) span {
	s := span{least: ttl}
	until := from // by the writes so far
	for _, w := range renewals {
		if w.Answered > to {
			break
		}
		if w.Answered >= from {
			s.writes++
			s.gap += max(0, w.Answered.Sub(until))
			s.least = min(s.least, until.Sub(w.Answered))
			if !slices.Contains(s.epochs, w.Epoch) {
				s.epochs = append(s.epochs, w.Epoch)
			}
		}
		until = max(until, w.Arrived.Add(ttl))
	}
	s.gap += max(0, to.Sub(until))
	return s
}

// until is when the authority ends that the writes of an epoch have given.
func (r *record) until(epoch uint64) (until lease.Instant) {
	for _, w := range r.All() {
		if w.Epoch == epoch {
			until = max(until, w.Arrived.Add(r.ttl))
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
	instant := func(ms int) lease.Instant { return lease.Instant(0).Add(time.Duration(ms) * time.Millisecond) }
	at := func(arrived, answered int, epoch uint64) daemon.Renewal {
		return daemon.Renewal{Arrived: instant(arrived), Answered: instant(answered), Epoch: epoch}
	}
	const second = time.Second
	for name, tt := range map[string]struct {
		writes []daemon.Renewal
		to     lease.Instant
		want   span
	}{
		"renewed by another instance": {[]daemon.Renewal{at(0, 100, 1), at(4000, 4100, 1)}, instant(9000), span{1, 0, 5900 * time.Millisecond, []uint64{1}}},
		"not renewed":                 {[]daemon.Renewal{at(0, 100, 1)}, instant(12000), span{0, 2 * second, 10 * second, nil}},
		"answered late":               {[]daemon.Renewal{at(0, 100, 1), at(4000, 10500, 1)}, instant(11000), span{1, second / 2, -second / 2, []uint64{1}}},
		"of another epoch":            {[]daemon.Renewal{at(0, 100, 1), at(4000, 4000, 2)}, instant(9000), span{1, 0, 6 * second, []uint64{2}}},
		"after the end":               {[]daemon.Renewal{at(0, 100, 1), at(4000, 4000, 1), at(30000, 30000, 2)}, instant(14000), span{1, 0, 6 * second, []uint64{1}}},
	} {
		if got := authority(tt.writes, 10*second, instant(1000), tt.to); fmt.Sprint(got) != fmt.Sprint(tt.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, tt.want)
		}
	}
}
