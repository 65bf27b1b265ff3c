package applier

import (
	"context"
	"sync"
	"time"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// A Clock reads the region's boot clock.
type Clock interface {
	Now() lease.Instant
}

// A Timer fires at an instant of that clock, or at once if it has passed. It
// may fire once too often, for an instant that was replaced by Set meanwhile.
type Timer interface {
	Set(at lease.Instant) // in place of the instant before; lease.Never: not at all
	C() <-chan struct{}
	Close() error
}

// Config is what an Applier works on and with.
type Config struct {
	Group  string
	Region lease.Region
	Layers []layers.Layer // in the order of the configuration
	Clock  Clock
	Timer  Timer // becomes the applier's own; Close closes it

	// Report is told every event. While it runs nothing is begun or called off,
	// so it must not block, nor call Close.
	Report func(Event)
}

// An Applier carries out orders. It begins with none.
type Applier struct {
	config  Config
	mailbox mailbox
	results chan result
	done    chan struct{} // closed when run has ended
	err     error         // of Timer.Close, once done
	tiers   []layers.Tier

	watchers sync.WaitGroup

	// What follows belongs to run.
	stopWatching context.CancelFunc // nil while nobody watches
	workers      []*worker          // one for each layer, in the same order
	order        *order             // the newest; nil: none
	finished     bool               // Done was reported for it
}

// A worker is what is known of one layer.
type worker struct {
	layer   layers.Layer
	state   layers.State
	running *attempt
	ready   bool          // the effect of the newest order is there
	changed bool          // it may be gone again since the running attempt began
	retryAt lease.Instant // no attempt begins before
	pause   time.Duration // after the next failure
}

type result struct {
	attempt *attempt
	err     error
}

// New starts an applier.
func New(c Config) *Applier {
	a := &Applier{
		config:  c,
		mailbox: mailbox{wake: make(chan struct{}, 1)},
		results: make(chan result),
		done:    make(chan struct{}),
	}
	for _, l := range c.Layers {
		a.workers = append(a.workers, &worker{layer: l, state: layers.Unknown})
		a.tiers = append(a.tiers, l.Tier())
	}
	go a.run()
	return a
}

// Fence makes every layer inactive, in place of whatever was ordered before.
func (a *Applier) Fence(f lease.Fence) {
	a.mailbox.putOrder(order{id: f.ID, action: layers.Fence, deadline: f.Deadline, epoch: f.Epoch, term: f.Term, reason: f.Reason,
		stages: layers.Plan(layers.Fence, f.Planned, a.tiers)})
}

// Activate makes every layer active, in place of whatever was ordered before.
func (a *Applier) Activate(o lease.Activate) {
	a.mailbox.putOrder(order{id: o.ID, action: layers.Activate, deadline: o.Deadline, epoch: o.Epoch, term: o.Term, reason: o.Reason,
		stages: layers.Plan(layers.Activate, false, a.tiers)})
}

// StandDown calls off what is running, and leaves the layers as they are: another instance
// of the region sees to them, until the next order. Nobody watches them any more.
func (a *Applier) StandDown() { a.mailbox.putStandDown() }

// Extend moves the deadline of the Activate that stands, of attempts that are
// running too. If it had passed, activation goes on. It does nothing if the
// newest order is a Fence.
func (a *Applier) Extend(deadline lease.Instant) { a.mailbox.putExtend(deadline) }

// Close calls off what is running and returns when all of it has ended. It leaves
// the layers as they are. Orders given later are ignored.
func (a *Applier) Close() error {
	a.mailbox.putClose()
	<-a.done
	a.watchers.Wait()
	return a.err
}

// run is the goroutine that owns everything.
func (a *Applier) run() {
	defer close(a.done)
	defer func() { a.err = a.config.Timer.Close() }()
	for {
		in := a.mailbox.take()
		if in.closed {
			break
		}
		if in.stood {
			a.standDown()
		}
		if in.order != nil {
			a.watch()
			a.replace(in.order)
		} else if in.extended && a.order != nil && a.order.action == layers.Activate {
			a.order.deadline = in.deadline
		}
		now := a.config.Clock.Now()
		a.noteChanges(in.changed, now)
		a.callOffOverdue(now)
		a.beginStages(now)
		a.begin(now)
		a.finish()
		a.config.Timer.Set(a.next(now))
		select {
		case <-a.mailbox.wake:
		case <-a.config.Timer.C():
		case r := <-a.results:
			a.ended(r)
		}
	}
	a.unwatch()
	for _, w := range a.workers {
		if w.running != nil {
			w.running.callOff(errClosed)
		}
	}
	for _, w := range a.workers {
		for w.running != nil {
			a.ended(<-a.results)
		}
	}
}

// watch has layers notice what others change, if it has not.
func (a *Applier) watch() {
	if a.stopWatching != nil {
		return
	}
	watching, stop := context.WithCancel(context.Background())
	a.stopWatching = stop
	for i, l := range a.config.Layers {
		if w, ok := l.(layers.Watcher); ok {
			a.watchers.Go(func() { w.Watch(watching, func() { a.mailbox.putChanged(i) }) })
		}
	}
}

func (a *Applier) unwatch() {
	if a.stopWatching != nil {
		a.stopWatching()
		a.stopWatching = nil
	}
}

// standDown ends what the newest order began.
func (a *Applier) standDown() {
	a.unwatch()
	a.replace(nil)
	for _, w := range a.workers {
		a.setState(w, layers.Unknown)
	}
}

// replace makes an order the newest.
func (a *Applier) replace(o *order) {
	a.order, a.finished = o, false
	for _, w := range a.workers {
		if w.running != nil {
			w.running.callOff(errSuperseded)
		}
		w.ready, w.changed, w.retryAt, w.pause = false, false, 0, firstRetry
	}
}

// noteChanges has the effect of the newest order put back on layers where it may be
// gone. An order that was not carried out yet does so anyhow.
func (a *Applier) noteChanges(changed []int, now lease.Instant) {
	for _, i := range changed {
		w := a.workers[i]
		switch {
		case w.running != nil:
			w.changed = true
		case w.ready:
			w.ready, w.retryAt = false, max(w.retryAt, now)
		}
	}
}

// beginStages begins the stages of the newest order that are due.
func (a *Applier) beginStages(now lease.Instant) {
	o := a.order
	if o == nil {
		return
	}
	for o.begun < len(o.stages) && (a.allReady(o.stages[:o.begun]) || o.action == layers.Fence && now >= o.next) {
		o.begun++
		o.next = now.Add(max(0, o.deadline.Sub(now)) / time.Duration(len(o.stages)-o.begun+1))
	}
}

func (a *Applier) allReady(stages []layers.Stage) bool {
	for _, stage := range stages {
		for _, i := range stage {
			if !a.workers[i].ready {
				return false
			}
		}
	}
	return true
}

func (a *Applier) callOffOverdue(now lease.Instant) {
	for _, w := range a.workers {
		if w.running != nil && now >= w.running.end() {
			w.running.callOff(errOverdue)
		}
	}
}

// due are the workers of the stages that have begun that are to be made ready.
func (a *Applier) due() []*worker {
	var due []*worker
	if a.order == nil {
		return nil
	}
	for _, stage := range a.order.stages[:a.order.begun] {
		for _, i := range stage {
			if w := a.workers[i]; !w.ready {
				due = append(due, w)
			}
		}
	}
	return due
}

func (a *Applier) begin(now lease.Instant) {
	for _, w := range a.due() {
		if w.running != nil || now < w.retryAt {
			continue
		}
		if a.order.action == layers.Activate && now >= a.order.deadline {
			continue
		}
		a.attempt(w, now)
	}
}

// attempt begins an attempt of the newest order on a layer that has none
// running.
func (a *Applier) attempt(w *worker, now lease.Instant) {
	ctx, cancel := context.WithCancelCause(context.Background())
	at := &attempt{worker: w, order: a.order, begun: now, limit: fenceLimit(now, a.order.deadline), cancel: cancel}
	w.running = at
	if w.state != a.order.action.Wanted() {
		a.setState(w, layers.Unknown)
	}
	// Go's clock is read before the region's, so that what lies between the two is
	// taken from the time that the layer is told it has, never added.
	read := time.Now()
	left := at.end().Sub(a.config.Clock.Now())
	withDeadline := attemptContext{ctx, read.Add(left)}
	told := layers.Order{Group: a.config.Group, Region: a.config.Region, Epoch: at.order.epoch, Term: at.order.term, Reason: at.order.reason}
	call := w.layer.Activate
	if at.order.action == layers.Fence {
		call = w.layer.Fence
	}
	go func() { a.results <- result{at, call(withDeadline, told)} }()
}

// ended takes in that an attempt has returned.
func (a *Applier) ended(r result) {
	at, w := r.attempt, r.attempt.worker
	at.cancel(nil) // frees the context
	w.running = nil
	now := a.config.Clock.Now()
	if r.err == nil {
		a.setState(w, at.order.action.Wanted())
	} else {
		a.setState(w, layers.Unknown)
	}
	a.config.Report(Attempt{
		ID: at.order.id, Layer: w.layer.Name(), Action: at.order.action,
		Outcome: at.outcome(r.err), Duration: now.Sub(at.begun), Err: r.err,
	})
	if at.order != a.order {
		return // what an older order has done proves nothing for this one
	}
	if r.err == nil {
		// What changed while the attempt ran may have come too late for it.
		w.ready, w.changed, w.pause = !w.changed, false, firstRetry
		w.retryAt = now.Add(upkeepPause)
		return
	}
	w.retryAt, w.pause = now.Add(w.pause), nextRetry(w.pause)
}

// finish reports an order that has been carried out.
func (a *Applier) finish() {
	if a.order == nil || a.finished || !a.allReady(a.order.stages) {
		return
	}
	a.finished = true
	a.config.Report(Done{a.order.id, a.order.action})
}

// next is the first instant after now at which there is something to do, if
// nothing happens before.
func (a *Applier) next(now lease.Instant) lease.Instant {
	next := lease.Never
	for _, w := range a.workers {
		if w.running != nil && w.running.called == nil {
			next = min(next, w.running.end())
		}
	}
	if o := a.order; o != nil && o.action == layers.Fence && o.begun < len(o.stages) {
		next = min(next, o.next)
	}
	for _, w := range a.due() {
		// One that is due now and does not run is too late: only Extend helps.
		if w.running == nil && w.retryAt > now {
			next = min(next, w.retryAt)
		}
	}
	return next
}

func (a *Applier) setState(w *worker, s layers.State) {
	if w.state != s {
		w.state = s
		a.config.Report(LayerState{w.layer.Name(), s})
	}
}
