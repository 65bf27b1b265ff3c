package agent

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// reads is how stale what is read at one witness is found to be. It is for people: the lease judges the reads of the own
// flag itself, and nothing is decided by this. Several goroutines may use it at once.
type reads struct {
	began lease.Instant // what stamps count from

	mu     sync.Mutex
	writes witness.Writes // of the own flag
	watch  *witness.Watch
}

// begin is the stamp of a write that is sent after now.
func (r *reads) begin(now lease.Instant) *witness.Stamp {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes.Begin(now.Sub(r.began))
}

// acked notes that a write was acknowledged.
func (r *reads) acked(s *witness.Stamp, now lease.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes.Acked(s.Attempt, now.Sub(r.began))
}

// read takes a round of reads in.
func (r *reads) read(members []lease.Region, round witness.Round, sent, answered lease.Instant) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, stamp := range round.Stamps {
		if stamp != nil {
			r.watch.Read(witness.Writer{Region: members[i], Incarnation: round.Flags[i].Flag.WriteID.Incarnation()}, stamp, sent, answered)
		}
	}
}

// stalest is by how much, at least, the stalest read of a region's flag of late was stale.
func (r *reads) stalest(region lease.Region, now lease.Instant) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.watch.Stalest(region, now)
}

// judgeReads takes stock of how stale reads were of late, and has an alarm be for each other region whose flag was read
// staler than a witness may be. That of the own one is the lease's.
func (a *Agent) judgeReads(now lease.Instant) {
	views := a.state.Witnesses()
	var stale []lease.Notice
	a.observed = make([]map[lease.Region]time.Duration, len(views))
	for i, view := range views {
		a.observed[i] = map[lease.Region]time.Duration{}
		for _, region := range a.cfg.Params.Members {
			d := a.reads[i].stalest(region, now)
			if region == a.cfg.Params.Region {
				a.observed[i][region] = max(d, view.Staleness)
				continue
			}
			a.observed[i][region] = d
			if d == 0 || d < a.cfg.Params.Longer(view.Bound) || a.decision.State == lease.Follower {
				continue
			}
			n := lease.Notice{Reason: lease.NoticeWitnessStale, Region: region, Witness: view.Name, Detail: fmt.Sprintf(
				"a read returned a record older than one acknowledged %v before it was sent, or earlier; the bound is %v", d.Round(time.Millisecond), view.Bound)}
			if !slices.ContainsFunc(a.stale, func(o lease.Notice) bool { return sameAlarm(n, o) }) {
				a.notice(n)
			}
			stale = append(stale, n)
		}
	}
	a.stale = stale
}

// alarms are the notices that hold: those of the lease, and of what was read.
func (a *Agent) alarms() []lease.Notice {
	all := a.state.Alarms()
	for _, n := range a.stale {
		if !slices.ContainsFunc(all, func(o lease.Notice) bool { return sameAlarm(n, o) }) {
			all = append(all, n)
		}
	}
	return all
}

// sameAlarm reports whether two notices are of the same alarm.
func sameAlarm(n, o lease.Notice) bool {
	return n.Reason == o.Reason && n.Region == o.Region && n.Witness == o.Witness
}
