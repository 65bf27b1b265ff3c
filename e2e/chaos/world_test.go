package chaos

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/lease"
)

// now reads the clock that everything here is told by.
func now() lease.Instant { return bootclock.Clock{}.Now() }

// A world is a group that runs, and what was seen of it.
type world struct {
	t       *testing.T
	random  *rand.Rand
	group   *daemon.Group
	regions []*region
	rounds  []Round
}

// A region is a daemon.Region with its record. The record's Writes are under mu, since the witness's goroutines add to them.
type region struct {
	*daemon.Region
	record Record
	frozen bool // it would not answer

	mu     sync.Mutex
	asked  []time.Duration // how long the witness took to answer, by request
	strike strike
}

// A strike is what is to happen between the landing of a write and its answer.
type strike struct {
	on lease.FlagState // for a write of this state
	do func()          // nil: nothing
}

// newWorld starts every region, on a witness.
func newWorld(t *testing.T, params lease.Params, seed uint64, on witness) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 0))}
	group, watch := on(t, daemon.Build(t, !*plainFlag), params)
	w.group = group
	for _, r := range w.group.Regions {
		r := &region{Region: r, record: Record{Region: r.Name}}
		watch(r)
		w.regions = append(w.regions, r)
	}
	for _, r := range w.regions {
		r.Start(t)
	}
	for n := range *loadFlag {
		p, err := daemon.StartProcess("sh", "-c", "while :; do :; done")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { p.CleanUp(t, fmt.Sprintf("load %d", n+1)) })
	}
	return w
}

// watch records the writes of the region's flag, at the witness.
func (r *region) watch(req kvserver.Request) func(int) {
	arrived := now()
	flag, of, ok := daemon.FlagIn(req)
	if ok && of != r.Name {
		panic(r.Name + " writes the flag of " + of) // the figures would be worth nothing
	}
	return func(status int) {
		answered := now()
		if ok && status == http.StatusOK {
			r.wrote(flag, arrived, answered)
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.asked = append(r.asked, answered.Sub(arrived))
	}
}

// wrote records a write of the region's flag that has landed, and strikes if that is what was waited for.
func (r *region) wrote(flag lease.Flag, arrived, answered lease.Instant) {
	r.mu.Lock()
	r.asked = append(r.asked, answered.Sub(arrived))
	r.record.Writes = append(r.record.Writes, Write{arrived, answered, flag.State, flag.Epoch})
	var do func()
	if flag.State == r.strike.on {
		do, r.strike = r.strike.do, strike{}
	}
	r.mu.Unlock()
	if do != nil {
		do()
	}
}

// onWrite has do called between the landing of the region's next write of a state and its answer. It reports whether something else
// was to be called, which is not any more.
func (r *region) onWrite(state lease.FlagState, do func()) (instead bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	instead = r.strike.do != nil
	r.strike = strike{state, do}
	return instead
}

// lastWrite is the newest write that landed; ok is false if there was none.
func (r *region) lastWrite() (w Write, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if n := len(r.record.Writes); n > 0 {
		return r.record.Writes[n-1], true
	}
	return w, false
}

// status asks the region's agent, and notes the deadline that it claims. ok is false if it does not answer.
func (w *world) status(r *region) (s daemon.Status, ok bool) {
	if r.frozen || !r.Process().Running() {
		return s, false
	}
	asked := now()
	s, err := r.Status(w.t.Context())
	if err != nil {
		return s, false
	}
	if s.Authority { // what remains was computed after the question, so the deadline is at least this
		claimed := asked.Add(time.Duration(s.AuthorityRemaining * float64(time.Second)))
		r.record.Claims = append(r.record.Claims, Claim{s.Epoch, claimed, "status"})
	}
	return s, true
}

// saved reads the authority that the region has on disk, and notes the claim.
func (w *world) saved(r *region) lease.Authority {
	w.t.Helper()
	a, err := r.Saved()
	if err != nil {
		w.t.Fatalf("%s: read authority.json: %v", r.Name, err)
	}
	if a.Epoch > 0 {
		r.record.Claims = append(r.record.Claims, Claim{a.Epoch, a.Deadline, "disk"})
	}
	return a
}

// settle waits until the group is whole: one region is active and has renewed since, the others are standbys that know
// all members, have seen that renewal, and owe no candidate of the round before its turn. So a bound that is counted from
// the last renewal holds for what comes next.
func (w *world) settle() (holder *region, standbys []*region) {
	w.t.Helper()
	w.await("one active region and two standbys", func() bool {
		holder, standbys = nil, nil
		for _, r := range w.regions {
			s, ok := w.status(r)
			switch {
			case !ok || s.Witness.Trouble["read_round"] != "":
				return false
			case s.State == lease.Active && s.AllLayers("active") && holder == nil:
				holder = r
			case s.State == lease.Standby && s.AllLayers("inactive") && w.calm(s):
				standbys = append(standbys, r)
			}
		}
		return holder != nil && len(standbys) == len(w.regions)-1
	})
	before, _ := holder.lastWrite()
	var renewed Write
	w.await("a renewal of "+string(holder.Name), func() bool {
		renewed, _ = holder.lastWrite()
		return renewed.Arrived > before.Arrived
	})
	for _, r := range standbys {
		w.await(string(r.Name)+" sees it", func() bool {
			at := now()
			s, ok := w.status(r)
			return ok && at.Add(-evidenceAge(s, holder.Name)) >= renewed.Arrived
		})
	}
	return holder, standbys
}

// calm reports whether the region knows all members and has seen no candidate of late.
func (w *world) calm(s daemon.Status) bool {
	for _, p := range s.Peers {
		if !p.Known || p.State == string(lease.FlagCandidate) && evidenceAge(s, p.Region) < w.group.Params.TTL {
			return false
		}
	}
	return true
}

// evidenceAge is how long ago the region had its last sign of life of another.
func evidenceAge(s daemon.Status, of lease.Region) time.Duration {
	for _, p := range s.Peers {
		if p.Region == of {
			return time.Duration(p.EvidenceAge * float64(time.Second))
		}
	}
	return daemon.Patience
}

// await waits until a condition holds.
func (w *world) await(what string, holds func() bool) {
	w.t.Helper()
	daemon.Await(w.t, what, holds, func() string {
		state := []string{fmt.Sprintf("after %d rounds:", len(w.rounds))}
		for _, r := range w.regions {
			s, ok := w.status(r)
			b, err := json.Marshal(s)
			if !ok || err != nil {
				b = []byte("no answer")
			}
			state = append(state, string(r.Name)+": "+string(b))
		}
		return strings.Join(state, "\n")
	})
}

// collect takes over what the regions have written down since it was last called. Wall clocks may be set, so it is to be
// called often enough that this does not matter.
func (w *world) collect() {
	w.t.Helper()
	for _, r := range w.regions {
		var err error
		if r.record.Hooks, err = r.HookRuns(); err != nil {
			w.t.Fatalf("%s: %v", r.Name, err)
		}
		history, err := r.History()
		if err != nil {
			w.t.Fatalf("%s: read history: %v", r.Name, err)
		}
		at, wall := now(), time.Now()
		for _, e := range history[len(r.record.Transitions):] {
			r.record.Transitions = append(r.record.Transitions, Transition{at.Add(e.Time.Sub(wall)), e.From, e.To, e.Epoch, e.Reason})
		}
	}
}

// records are what was seen of all regions.
func (w *world) records() []Record {
	var out []Record
	for _, r := range w.regions {
		r.mu.Lock()
		out = append(out, r.record)
		r.mu.Unlock()
	}
	return out
}
