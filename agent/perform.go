package agent

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/openova-io/failoverd/agent/applier"
	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/lease/witness"
)

// The calls that may fail, as logs, metrics and status name them.
const (
	opWriteFlag     = "write_flag"
	opWriteInfo     = "write_info"
	opReadRound     = "read_round"
	opDecodeFlag    = "decode_flag"
	opDecodeInfo    = "decode_info"
	opSaveAuthority = "save_authority"
	opAsk           = "ask"
	opReadTerm      = "read_term"
	opWriteTerm     = "write_term"
	opJournal       = "write_journal"
	opWatchdog      = "watchdog"
)

// outcome is how a call ended: the event for the state machine, and what went
// wrong, for people.
type outcome struct {
	op    string
	event lease.Event
	err   error
}

// malformed is what a round has read that can't be believed; no error: all can be.
type malformed struct {
	op  string
	err error
}

// apart tells the witness's own failures from records that it has brought and that can't be believed: it has answered then.
func apart(errs []error) (failed, bad error) {
	for _, err := range errs {
		if witness.ClassOf(err) == witness.Malformed {
			bad = errors.Join(bad, err)
		} else {
			failed = errors.Join(failed, err)
		}
	}
	return failed, bad
}

// perform begins one action. It never blocks.
func (a *Agent) perform(calls context.Context, action lease.Action) {
	switch action := action.(type) {
	case lease.WriteFlag:
		a.call(calls, opWriteFlag, action.Witness, action.Deadline, func(ctx context.Context) (lease.Event, error) {
			of := a.reads[action.Witness]
			stamp := of.begin(a.cfg.Clock.Now())
			err := a.cfg.Witnesses[action.Witness].WriteFlag(ctx, action.Flag, stamp)
			if err == nil {
				of.acked(stamp, a.cfg.Clock.Now())
			}
			a.metrics.renewal(err)
			return lease.FlagWritten{ID: action.ID, Acked: err == nil}, err
		})
	case lease.WriteInfo:
		a.call(calls, opWriteInfo, action.Witness, action.Deadline, func(ctx context.Context) (lease.Event, error) {
			err := a.cfg.Witnesses[action.Witness].WriteInfo(ctx, action.Info)
			return lease.InfoWritten{ID: action.ID, Acked: err == nil}, err
		})
	case lease.ReadRound:
		a.call(calls, opReadRound, action.Witness, action.Deadline, func(ctx context.Context) (lease.Event, error) {
			sent := a.cfg.Clock.Now()
			round := a.cfg.Witnesses[action.Witness].ReadRound(ctx, action.Infos)
			a.reads[action.Witness].read(a.cfg.Params.Members, round, sent, a.cfg.Clock.Now())
			noFlags, badFlags := apart(round.FlagErrors)
			noInfos, badInfos := apart(round.InfoErrors)
			a.tell(calls, malformed{a.opOf(opDecodeFlag, action.Witness), badFlags})
			if action.Infos {
				a.tell(calls, malformed{a.opOf(opDecodeInfo, action.Witness), badInfos})
			}
			return lease.RoundRead{ID: action.ID, Witness: action.Witness, Flags: round.Flags, Infos: round.Infos}, errors.Join(noFlags, noInfos)
		})
	case lease.Ask:
		a.ask(calls, action)
	case lease.SaveAuthority:
		a.onDisk(func() {
			err := a.cfg.Disk.SaveAuthority(action.Authority)
			a.tell(calls, outcome{opSaveAuthority, lease.AuthoritySaved{ID: action.ID, OK: err == nil}, err})
		}, func() {
			a.tell(calls, outcome{opSaveAuthority, lease.AuthoritySaved{ID: action.ID}, errDiskBusy})
		})
	case lease.Fence:
		a.applier.Fence(action)
		a.hurry(false)
	case lease.Activate:
		a.applier.Activate(action)
		a.hurry(true)
	case lease.ReadTerm:
		a.begin(calls, opReadTerm, action.Deadline, func(ctx context.Context) (lease.Event, error) {
			record, found, err := a.cfg.Term.Read(ctx)
			outcome := lease.ReadFound
			switch {
			case err != nil:
				outcome = lease.ReadUnknown
			case !found:
				outcome = lease.ReadMissing
			}
			return lease.TermRead{ID: action.ID, Outcome: outcome, Record: record}, err
		})
	case lease.WriteTerm:
		a.begin(calls, opWriteTerm, action.Deadline, func(ctx context.Context) (lease.Event, error) {
			outcome, err := a.cfg.Term.Write(ctx, action.After, action.Record)
			return lease.TermWritten{ID: action.ID, Outcome: outcome}, err
		})
	case lease.StandDown:
		a.applier.StandDown()
		a.hurry(false)
	case lease.Extend:
		a.applier.Extend(action.Deadline)
	case lease.Transition:
		a.transition(action)
	case lease.Notice:
		a.notice(action)
	}
}

// opOf is what a call of one of several witnesses is named.
func (a *Agent) opOf(op string, witness int) string {
	if len(a.cfg.Params.Witnesses) > 0 {
		return op + " " + a.cfg.Params.Witnesses[witness].Name
	}
	return op
}

// call makes one call of a witness, and measures it.
func (a *Agent) call(calls context.Context, op string, witness int, deadline lease.Instant, do func(context.Context) (lease.Event, error)) {
	a.begin(calls, a.opOf(op, witness), deadline, func(ctx context.Context) (lease.Event, error) {
		start := time.Now()
		event, err := do(ctx)
		a.metrics.witnessCall(op, time.Since(start))
		return event, err
	})
}

// begin makes one call in a goroutine of its own, with the deadline of its action. Go's timers stand still in suspend, so it may end
// later; what came late is then of no use to the state machine, which looks at
// the clock itself.
func (a *Agent) begin(calls context.Context, op string, deadline lease.Instant, do func(context.Context) (lease.Event, error)) {
	a.calls.Go(func() {
		ctx, cancel := context.WithTimeout(calls, max(0, deadline.Sub(a.cfg.Clock.Now())))
		defer cancel()
		event, err := do(ctx)
		a.tell(calls, outcome{op, event, err})
	})
}

// receive takes a message from a goroutine in.
func (a *Agent) receive(calls context.Context, message any) {
	switch m := message.(type) {
	case outcome:
		a.noteTrouble(m.op, m.err)
		if at, is := strings.CutPrefix(m.op, opWriteInfo); is && m.err == nil {
			a.noteTrouble(opWriteFlag+at, nil) // a standby writes no flag: that the other register takes writes is what it can know
		}
		a.step(calls, m.event)
	case malformed:
		a.noteTrouble(m.op, m.err)
	case health.Look:
		a.seen(calls, m)
	case journaled:
		a.noteTrouble(opJournal, m.err)
		a.publish()
	case behind:
		a.health.behind = m
		a.tellHealth(calls)
	case *question:
		a.beAsked(calls, m)
	case *command:
		a.obey(calls, m)
	case *drilled:
		a.keepDrill(m)
	case applier.Done:
		if m.Action == layers.Fence {
			a.step(calls, lease.LayersFenced{ID: m.ID})
			return
		}
		a.hurry(false)
		a.step(calls, lease.LayersActive{ID: m.ID})
		a.failedOver()
	case applier.LayerState:
		a.layers[m.Layer] = m.State
		a.publish()
	case applier.Attempt:
		a.metrics.attempt(m)
		data := a.positions(m)
		a.journalAttempt(m, data)
		a.chronicleAttempt(m, data)
		if m.Outcome != applier.Superseded { // which is no trouble: nobody waits for it any more
			a.noteAttempt(m)
			a.publish()
		}
	}
}

// hurry tells the board whether layers are becoming active, and may wait for what
// others have to tell.
func (a *Agent) hurry(on bool) {
	if a.cfg.Board != nil {
		a.cfg.Board.Hurry(on)
	}
}

var errDiskBusy = errors.New("the disk has not answered for many writes")

// onDisk queues work for the disk, in order; a disk that hangs must not hold
// up the owner.
func (a *Agent) onDisk(do, full func()) {
	select {
	case a.disk <- do:
	default:
		a.calls.Go(full)
	}
}

// noteTrouble notes what fails and what works again, so that each is logged
// once and not at every attempt.
func (a *Agent) noteTrouble(op string, err error) {
	_, failing := a.trouble[op]
	switch {
	case err == nil && failing:
		a.cfg.Log.Info("works again", "call", op)
		delete(a.trouble, op)
	case err != nil:
		if !failing {
			a.cfg.Log.Warn("fails", "call", op, "error", err)
		}
		a.trouble[op] = err.Error()
	}
}

// noteAttempt notes what a layer was kept from. What kept it from the opposite is past.
func (a *Agent) noteAttempt(m applier.Attempt) {
	for _, action := range []layers.Action{layers.Activate, layers.Fence} {
		if action != m.Action {
			delete(a.trouble, layerOp(action, m.Layer))
		}
	}
	a.noteTrouble(layerOp(m.Action, m.Layer), m.Err)
}

func layerOp(action layers.Action, layer string) string { return string(action) + " layer " + layer }

// failedOver measures a takeover that has come to its end.
func (a *Agent) failedOver() {
	if a.takenFrom != lease.Never && a.decision.LayersActive {
		a.metrics.failover.Observe(a.decision.Now.Sub(a.takenFrom).Seconds())
		a.takenFrom = lease.Never
	}
}

// transition reports a change of state.
func (a *Agent) transition(t lease.Transition) {
	why := lease.ReasonOf(t.Reason)
	from := t.From
	if from == "" {
		from = "start"
	}
	a.log(why.Severity)("state changed", "from", from, "to", t.To, "epoch", t.Epoch, "reason", t.Reason, "why", why.Text)
	a.metrics.transition(t)
	if a.cfg.Notifier != nil {
		a.cfg.Notifier.Transition(t)
	}
	a.takenFrom = lease.Never
	if t.Reason == lease.ReasonTaken || t.Reason == lease.ReasonPledged {
		a.takenFrom = 0
		for _, p := range a.state.Peers() {
			a.takenFrom = max(a.takenFrom, p.Evidence)
		}
	}
	a.chronicleTransition(t)
}

// notice reports what an operator should know.
func (a *Agent) notice(n lease.Notice) {
	why := lease.ReasonOf(n.Reason)
	args := []any{"reason", n.Reason, "why", why.Text}
	if n.Region != "" {
		args = append(args, "region", n.Region)
	}
	if n.Witness != "" {
		args = append(args, "witness", n.Witness)
	}
	if n.Detail != "" {
		args = append(args, "detail", n.Detail)
	}
	if why.Remedy != "" {
		args = append(args, "remedy", why.Remedy)
	}
	a.log(why.Severity)(why.Title, args...)
	a.metrics.notice(n)
	if a.cfg.Notifier != nil {
		a.cfg.Notifier.Notice(n)
	}
}

// log is the level of the log for a severity.
func (a *Agent) log(s lease.Severity) func(string, ...any) {
	switch s {
	case lease.Critical:
		return a.cfg.Log.Error
	case lease.Warning:
		return a.cfg.Log.Warn
	}
	return a.cfg.Log.Info
}
