package agent

import (
	"cmp"
	"slices"
	"time"

	"github.com/openova-io/failoverd/agent/applier"
	"github.com/openova-io/failoverd/agent/gap"
	"github.com/openova-io/failoverd/agent/statedir"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// A chronicle is what the history says beside the transitions. It belongs to the owner.
type chronicle struct {
	gaps      *gap.Finder
	taken     *gap.Gap       // that the step ends in which this region takes authority
	said      *audit.Command // that was obeyed last, and has brought about no transition yet
	saidUntil lease.Instant  // the next one is because of it until then
	brought   map[string]bool
}

func newChronicle(p *lease.Params) chronicle {
	return chronicle{gaps: gap.New(p), brought: map[string]bool{}}
}

// chronicleStep takes a step in, before its actions are performed.
func (a *Agent) chronicleStep(now lease.Instant, ev lease.Event, actions []lease.Action) {
	c := &a.chronicle
	c.taken = nil
	switch ended := c.gaps.Step(now, ev, actions); {
	case ended == nil:
	case ended.After == a.cfg.Params.Region:
		c.taken = ended
	default:
		a.detail(statedir.Detail{Time: time.Now(), Gap: ended})
	}
}

// chronicleCommand notes that a command is about to be obeyed.
func (a *Agent) chronicleCommand(said audit.Command) {
	a.chronicle.said, a.chronicle.saidUntil = &said, a.cfg.Clock.Now().Add(a.cfg.Params.RequestTimeout)
}

// chronicleTransition writes a transition into the history.
func (a *Agent) chronicleTransition(t lease.Transition) {
	c := &a.chronicle
	entry := statedir.Entry{Time: time.Now(), Region: a.cfg.Params.Region, From: t.From, To: t.To, Epoch: t.Epoch, Reason: t.Reason}
	if t.To == lease.Active {
		entry.Gap = c.taken
	}
	if c.said != nil && a.decision.Now < c.saidUntil {
		entry.By = c.said
	}
	c.said = nil
	clear(c.brought)
	a.onDisk(func() {
		if err := a.cfg.Disk.AppendHistory(entry); err != nil {
			a.cfg.Log.Warn("the history has a gap", "error", err)
		}
	}, func() { a.cfg.Log.Warn("the history has a gap", "error", errDiskBusy) })
}

// chronicleAttempt notes when a layer has become what the state has it be, the first time.
func (a *Agent) chronicleAttempt(m applier.Attempt, data []layers.Position) {
	c := &a.chronicle
	key := string(m.Action) + " " + m.Layer
	if m.Outcome != applier.Succeeded || (m.Action == layers.Activate) != (a.decision.State == lease.Active) || c.brought[key] {
		return
	}
	c.brought[key] = true
	most := slices.SortedStableFunc(slices.Values(data), func(p, q layers.Position) int { return cmp.Compare(q.Lacks, p.Lacks) })
	a.detail(statedir.Detail{Time: time.Now(), Layer: &statedir.LayerChange{
		Layer: m.Layer, Action: m.Action, Seconds: a.cfg.Clock.Now().Sub(a.decision.Since).Seconds(),
		Data: most[:min(len(most), chronicled)], Objects: len(data),
	}})
}

// chronicled is of how many objects of a layer the history has the position.
const chronicled = 10

// positions is how far the data of a layer had come when it became what it was asked to be.
func (a *Agent) positions(m applier.Attempt) []layers.Position {
	for _, l := range a.cfg.Layers {
		if b, bears := l.(layers.Bearer); bears && l.Name() == m.Layer && m.Outcome == applier.Succeeded {
			return b.Positions(m.Action)
		}
	}
	return nil
}

// detail writes a detail into the history. It waits for nothing, and is left out where authority would have to wait for it.
func (a *Agent) detail(of statedir.Detail) {
	if len(a.disk) > cap(a.disk)/2 {
		a.cfg.Log.Warn("the history lacks a detail", "error", errDiskBusy)
		return
	}
	a.onDisk(func() {
		if err := a.cfg.Disk.AppendDetail(of); err != nil {
			a.cfg.Log.Warn("the history lacks a detail", "error", err)
		}
	}, func() { a.cfg.Log.Warn("the history lacks a detail", "error", errDiskBusy) })
}
