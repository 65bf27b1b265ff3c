package agent

import (
	"context"
	"slices"
	"sync/atomic"
	"time"

	"github.com/openova-io/failoverd/agent/applier"
	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// A Journal keeps what happened. One goroutine calls it, which may have to wait for it.
type Journal interface {
	Append(kind audit.Kind, body any) error
	Sync() error
}

const (
	// journalPatience is how long a step waits for what it is about to do to be in the journal. A disk that hangs is not to
	// hold the lease up: after the first time nothing waits, until the journal has caught up.
	journalPatience = 100 * time.Millisecond

	// journalRoom is how many entries may wait for the disk: minutes of them.
	journalRoom = 1024
)

// A journaled is what became of writing the journal, where that has changed.
type journaled struct{ err error }

// A recorder writes the journal in the order in which the owner tells it to.
type recorder struct {
	journal Journal
	entries chan entry
	late    atomic.Bool   // it has held a step up, and has not caught up since
	synced  error         // what the last sync has said: it holds until the next one
	lost    atomic.Uint64 // entries that there was no room for, or that could not be written, and that no gap tells of yet
	ended   chan struct{}
}

type entry struct {
	kind    audit.Kind
	body    any
	durable bool          // it is to outlive the machine
	written chan struct{} // closed when it is; nil if nobody waits
}

// newRecorder runs until close; told is called when writing begins to fail, and when it works again.
func newRecorder(j Journal, told func(error)) *recorder {
	r := &recorder{journal: j, entries: make(chan entry, journalRoom), ended: make(chan struct{})}
	go func() {
		defer close(r.ended)
		failing := false
		for e := range r.entries {
			err := r.write(e)
			if e.written != nil {
				close(e.written)
			}
			if len(r.entries) == 0 {
				r.late.Store(false)
			}
			if (err != nil) != failing {
				failing = !failing
				told(err)
			}
		}
	}()
	return r
}

// write writes an entry, and before it how many are missing.
func (r *recorder) write(e entry) error {
	if lost := r.lost.Load(); lost > 0 {
		if err := r.journal.Append(audit.KindGap, audit.Gap{Lost: lost}); err != nil {
			r.lost.Add(1)
			return err
		}
		r.lost.Add(-lost)
	}
	if err := r.journal.Append(e.kind, e.body); err != nil {
		r.lost.Add(1)
		return err
	}
	if e.durable {
		r.synced = r.journal.Sync()
	}
	return r.synced
}

// record hands an entry over, and with wait returns when it is in the journal, or when that takes too long.
func (r *recorder) record(kind audit.Kind, body any, durable, wait bool) {
	e := entry{kind: kind, body: body, durable: durable}
	if wait = wait && !r.late.Load(); wait {
		e.written = make(chan struct{})
	}
	select {
	case r.entries <- e:
	default:
		r.lost.Add(1)
		return
	}
	if !wait {
		return
	}
	limit := time.NewTimer(journalPatience)
	defer limit.Stop()
	select {
	case <-e.written:
	case <-limit.C:
		r.late.Store(true)
	}
}

// close writes what waits. Nothing must be recorded any more.
func (r *recorder) close() {
	close(r.entries)
	<-r.ended
}

// journalBegins opens the journal of this run.
func (a *Agent) journalBegins(calls context.Context) {
	if a.cfg.Journal == nil {
		return
	}
	a.recorder = newRecorder(a.cfg.Journal, func(err error) { a.tell(calls, journaled{err}) })
	a.recorder.record(audit.KindRun, audit.Run{Version: a.cfg.Version, Params: a.cfg.Params}, true, true)
}

func (a *Agent) journalEnds() {
	if a.recorder != nil {
		a.recorder.close()
	}
}

// journalStep writes down what the lease was told, and what it wants done, before anything is done. A step that fences waits for
// nothing.
func (a *Agent) journalStep(now lease.Instant, ev lease.Event, actions []lease.Action) {
	if a.recorder == nil {
		return
	}
	matters, fences := false, false
	for _, action := range actions {
		switch action.(type) {
		case lease.Transition, lease.Activate:
			matters = true
		case lease.Fence:
			fences = true
		}
	}
	a.recorder.record(audit.KindStep, audit.Step{Now: now, Event: ev, Actions: slices.Clone(actions)}, matters || fences, matters && !fences)
}

// journalAttempt writes down what became of an attempt to bring a layer about.
func (a *Agent) journalAttempt(m applier.Attempt, data []layers.Position) {
	if a.recorder == nil {
		return
	}
	of := audit.Layer{Layer: m.Layer, Action: string(m.Action), Epoch: a.decision.Epoch, Outcome: string(m.Outcome), Took: m.Duration, Data: data}
	if m.Err != nil {
		of.Error = m.Err.Error()
	}
	a.recorder.record(audit.KindLayer, of, false, false)
}

// journalCommand writes down what a person wants, before it is done or refused.
func (a *Agent) journalCommand(c audit.Command) {
	if a.recorder != nil {
		a.recorder.record(audit.KindCommand, c, true, true)
	}
}
