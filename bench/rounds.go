package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/lease"
)

const (
	// lookEvery is how often a driver looks at who acts. No figure hangs on it: those are of what acted.
	lookEvery = 200 * time.Millisecond
	// lastsFor is for how long a node whose last act is over still counts as one that acts, when a driver looks whether a group is
	// calm: one that takes writes may be between two of them. No figure hangs on it either.
	lastsFor = 2 * time.Second
	// slowBy is by how much answers are late in the scenario SlowAnswers.
	slowBy = 2 * time.Second
	// outageTTLs is for how many TTLs the store is gone in the scenario Outage.
	outageTTLs = 10
	// calmPatience is what a busy machine may need beside what a group needs to be calm again.
	calmPatience = 3 * time.Minute
	// switchPatience is how long an operator's command may take.
	switchPatience = 2 * time.Minute
)

// A driver makes the rounds of one group, one after the other.
type driver struct {
	contender Contender
	group     Group
	rand      *rand.Rand
	now       func() lease.Instant

	// When the round before was over, and who held: the next one need not wait until all is calm.
	calmAt lease.Instant
	held   int
}

func newDriver(tb testing.TB, c Contender, n int, clocks map[int]float64, seed uint64) *driver {
	tb.Helper()
	return &driver{contender: c, group: c.Start(tb, n, clocks), rand: rand.New(rand.NewPCG(seed, 0)), now: bootclock.Clock{}.Now}
}

// clocks are those that a scenario wants, of n nodes; nil for right ones. The first node is the holder.
func clocks(s Scenario, n int) map[int]float64 {
	const fast = 1.01
	switch s {
	case FastHolder:
		return map[int]float64{0: fast}
	case FastCandidates:
		all := map[int]float64{}
		for i := 1; i < n; i++ {
			all[i] = fast
		}
		return all
	}
	return nil
}

// A fault is what a round is about: what was done, when, and what ends it.
type fault struct {
	at    lease.Instant
	from  int // the holder
	to    int // who acts next, -1 for nobody
	acted lease.Instant
}

// round makes one round. What keeps it from being judged is in Wrong.
func (d *driver) round(ctx context.Context, s Scenario) Round {
	r := Round{System: d.contender.Name, Scenario: s, Bound: d.contender.Bound.Seconds()}
	nodes := d.group.Nodes()
	from, err := d.held, error(nil)
	if d.calmAt == 0 || d.now().Sub(d.calmAt) > lastsFor {
		from, err = d.calm(ctx)
	}
	if err == nil && len(clocks(s, len(nodes))) > 0 && from != 0 {
		err = fmt.Errorf("%s holds before anything is done, want %s, as the clocks are", nodes[from].Name(), nodes[0].Name())
	}
	if err == nil {
		err = d.pass(ctx, time.Duration(d.rand.Int64N(int64(d.contender.Renew)))) // at any moment between two renewals
	}
	if err != nil {
		r.Wrong = err.Error()
		return r
	}
	w := startWatch(ctx, nodes, d.now)
	defer w.end() // also if a fault can't be made, which ends the test
	f, err := d.fault(ctx, s, from)
	calm, late := d.calm(ctx)
	end := d.now()
	if late == nil {
		d.calmAt, d.held = end, calm
	}
	healthy, acts := w.end(), d.acts(f.at, end)
	for i := range healthy {
		healthy[i] = Between(healthy[i], f.at, end)
	}
	r.From = nodes[from].Name()
	r.Acting, r.Healthy = Overlap(acts...).Seconds(), Overlap(healthy...).Seconds()
	switch {
	case err != nil:
		r.Wrong = err.Error()
	case late != nil:
		r.Wrong = "when all was mended: " + late.Error()
	case s == Outage:
		r.To = nodes[calm].Name()
		r.Down = (end.Sub(f.at) - Covered(acts...)).Seconds()
	case f.to < 0: // the holder goes on, or nobody does until all is mended
		if calm == from {
			r.To = r.From
		}
		r.Gap = (end.Sub(f.at) - Covered(acts...)).Seconds()
	default:
		r.To = nodes[f.to].Name()
		r.Gap = (f.acted.Sub(f.at) - Covered(d.acts(f.at, f.acted)...)).Seconds()
	}
	return r
}

// fault does what the scenario says to a holder, waits until another node acts, or has had the time to, and undoes it.
func (d *driver) fault(ctx context.Context, s Scenario, from int) (fault, error) {
	c, holder := d.contender, d.group.Nodes()[from]
	f := fault{at: d.now(), from: from, to: -1}
	switch s {
	case Killed:
		holder.Kill()
		err := d.lasts(ctx, &f)
		holder.Start()
		return f, err
	case Frozen:
		holder.Freeze()
		err := d.lasts(ctx, &f)
		holder.Thaw()
		return f, err
	case SlowAnswers:
		holder.Slow(slowBy)
		if err := d.pass(ctx, 2*c.Renew); err != nil || d.taken(&f) {
			holder.Heal()
			return f, err
		}
		f.at = d.now()
		fallthrough
	case Partitioned, FastHolder, FastCandidates:
		holder.Cut()
		err := d.lasts(ctx, &f)
		holder.Heal()
		return f, err
	case Switchover:
		to := d.rand.IntN(len(d.group.Nodes()) - 1)
		if to >= from {
			to++
		}
		once, cancel := context.WithTimeout(ctx, switchPatience)
		defer cancel()
		if err := d.group.Switchover(once, holder, d.group.Nodes()[to]); err != nil {
			return f, err
		}
		return f, d.lasts(ctx, &f)
	case Outage:
		if err := d.group.StopStore(); err != nil {
			return f, err
		}
		err := d.pass(ctx, outageTTLs*c.TTL)
		if again := d.group.StartStore(); err == nil {
			err = again
		}
		return f, err
	}
	panic("bench: scenario " + string(s))
}

// lasts waits until another node than the holder acts, and for a renewal more; or, if none does, for what they may take.
func (d *driver) lasts(ctx context.Context, f *fault) error {
	limit := max(4*d.contender.TTL, d.contender.Bound+d.contender.TTL)
	for end := d.now().Add(limit); d.now() < end; {
		if d.taken(f) {
			return d.pass(ctx, d.contender.Renew)
		}
		if err := d.pass(ctx, lookEvery); err != nil {
			return err
		}
	}
	return nil
}

// taken reports whether another node than the holder has acted since the fault: it takes down which one was the first.
func (d *driver) taken(f *fault) bool {
	for i, spans := range d.acts(f.at, d.now()) {
		if i == f.from || len(spans) == 0 {
			continue
		}
		if at := spans[0].From; f.to < 0 || at < f.acted {
			f.to, f.acted = i, at
		}
	}
	return f.to >= 0
}

// acts are when each node acted, in a time.
func (d *driver) acts(from, to lease.Instant) (of [][]Span) {
	for _, n := range d.group.Nodes() {
		of = append(of, Between(n.Acts(), from, to))
	}
	return of
}

// calm waits until the same node alone has acted, and has been healthy, for a renewal and longer, and returns it.
func (d *driver) calm(ctx context.Context) (holder int, err error) {
	holder = -1
	limit := 10*d.contender.TTL + 2*d.contender.Bound + calmPatience
	since := d.now()
	for end := since.Add(limit); d.now() < end; {
		is := d.holder(ctx)
		if is != holder {
			holder, since = is, d.now()
		}
		if holder >= 0 && d.now().Sub(since) > d.contender.Renew+lastsFor {
			return holder, nil
		}
		if err := d.pass(ctx, lookEvery); err != nil {
			return -1, err
		}
	}
	return -1, fmt.Errorf("in %v there was no node that acted alone, and was healthy, for a renewal on end", limit)
}

// holder is the node that acts, -1 if none does or several do, or if not that one alone is healthy.
func (d *driver) holder(ctx context.Context) int {
	nodes := d.group.Nodes()
	var act, healthy []int
	for i, n := range nodes {
		if spans := n.Acts(); len(spans) > 0 && d.now().Sub(spans[len(spans)-1].To) < lastsFor {
			act = append(act, i)
		}
		once, cancel := context.WithTimeout(ctx, pollPatience)
		if n.Healthy(once) {
			healthy = append(healthy, i)
		}
		cancel()
	}
	if len(act) != 1 || !slices.Equal(act, healthy) {
		return -1
	}
	return act[0]
}

// pass lets time pass.
func (d *driver) pass(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
