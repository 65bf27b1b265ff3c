package agent

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// ask asks another region, in a goroutine of its own.
func (a *Agent) ask(calls context.Context, action lease.Ask) {
	op := opAsk + " " + string(action.To)
	a.calls.Go(func() {
		ctx, cancel := context.WithTimeout(calls, max(0, action.Deadline.Sub(a.cfg.Clock.Now())))
		defer cancel()
		event := lease.Answered{ID: action.ID, From: action.To}
		verdict, err := a.cfg.Quorum.Ask(ctx, action.To, action.Question, func(v quorum.Verdict) { a.metrics.counted(action.To, v); a.resolvers.counted(action.To, v) })
		switch {
		case err != nil:
		case verdict.Reached:
			event.Reached, event.Answer = true, verdict.Answer.Answer
		case verdict.Silent():
			event.CutOff = a.cfg.Quorum.CutOff(ctx)
			fallthrough
		default:
			err = errors.New(verdict.Describe())
		}
		a.tell(calls, outcome{op, event, err})
	})
}

// question is one of another region that is to be answered.
type question struct {
	quorum.Question
	ctx   context.Context // of the one who waits for the reply
	reply chan lease.Answer
}

// Answer is what this region says to a question that is signed and new, and it
// grants the pledge that is asked for if it may. The owner answers, in one step,
// so that a grant and a take can't race. Any goroutine may call it.
func (a *Agent) Answer(ctx context.Context, q quorum.Question) (quorum.Answer, error) {
	m := &question{q, ctx, make(chan lease.Answer, 1)}
	select {
	case a.inbox <- m:
	case <-ctx.Done():
		return quorum.Answer{}, ctx.Err()
	}
	select {
	case answer, ok := <-m.reply:
		if !ok {
			return quorum.Answer{}, errFollows
		}
		return quorum.Answer{Answer: answer}, nil
	case <-ctx.Done():
		return quorum.Answer{}, ctx.Err()
	}
}

// errFollows has whoever asks try another of the region's servers.
var errFollows = errors.New("another instance acts for this region")

func (a *Agent) beAsked(calls context.Context, m *question) {
	if m.ctx.Err() != nil {
		return // nobody waits for it any more
	}
	maps.DeleteFunc(a.asked, func(_ uint64, m *question) bool { return m.ctx.Err() != nil })
	a.questions++
	a.asked[a.questions] = m
	a.step(calls, lease.Asked{ID: a.questions, From: m.Asker, Question: m.Question.Question})
}

// leaveUnanswered is what becomes of questions to an instance that follows.
func (a *Agent) leaveUnanswered() {
	for _, m := range a.asked {
		close(m.reply)
	}
	clear(a.asked)
}

// reply answers a question, when what the step saves is on disk.
func (a *Agent) reply(action lease.Reply, saving bool) {
	m := a.asked[action.ID]
	if m == nil {
		return // whoever asked has given up
	}
	delete(a.asked, action.ID)
	answer := func() { m.reply <- action.Answer } // it has room for it
	if !saving {
		answer()
		return
	}
	a.onDisk(answer, answer)
}

// command is an operator's, with the gates that say whether it can be done.
type command struct {
	said  audit.Command
	event lease.Event
	gates func(*lease.State) []lease.Gate
	done  chan error
}

// An Operator is a person who commands, and why, for the journal.
type Operator struct{ User, Reason string }

// SwitchOver fences this region and hands its authority over to another one (§4).
// It returns when that has begun, or a *RefusedError.
func (a *Agent) SwitchOver(ctx context.Context, to lease.Region, by Operator) error {
	said := audit.Command{Verb: "switchover", Region: to, User: by.User, Reason: by.Reason}
	return a.command(ctx, said, lease.HandOver{To: to}, func(s *lease.State) []lease.Gate { return s.HandOverGates(to) })
}

// TakeOver takes over from a region that an operator knows to be down and fenced (§4), or with no region named has this
// one take as soon as that is safe (§4, modes). It returns when that has begun, or a *RefusedError.
func (a *Agent) TakeOver(ctx context.Context, fenced lease.Region, by Operator) error {
	said := audit.Command{Verb: "takeover", Region: fenced, User: by.User, Reason: by.Reason}
	until := a.cfg.Clock.Now().Add(a.cfg.Params.RequestTimeout)
	return a.command(ctx, said, lease.Takeover{Fenced: fenced, Until: until}, func(s *lease.State) []lease.Gate { return s.TakeoverGates(fenced) })
}

// Approve is an operator's word that a semi-automatic region may do what it asks for (§4, modes). It returns when it
// has begun, or a *RefusedError.
func (a *Agent) Approve(ctx context.Context, kind lease.RequestKind, by Operator) error {
	said := audit.Command{Verb: "approve", Request: kind, User: by.User, Reason: by.Reason}
	return a.command(ctx, said, lease.Approve{Kind: kind}, func(s *lease.State) []lease.Gate { return s.ApproveGates(kind) })
}

// Deny has a semi-automatic region not do what it asks for, and decide nothing by itself for a while (§4, modes).
func (a *Agent) Deny(ctx context.Context, kind lease.RequestKind, d time.Duration, by Operator) error {
	said := audit.Command{Verb: "deny", Request: kind, For: d, User: by.User, Reason: by.Reason}
	return a.pause(ctx, said, func(s *lease.State) []lease.Gate { return s.ApproveGates(kind) })
}

// Pause has the region decide nothing by itself for a while, whatever its mode (§4, modes), and for 0 no more. It
// outlives the agent: on disk, or where the region has several instances on the record that they share.
func (a *Agent) Pause(ctx context.Context, d time.Duration, by Operator) error {
	said := audit.Command{Verb: "pause", For: d, User: by.User, Reason: by.Reason}
	if d == 0 {
		said.Verb = "resume"
	}
	return a.pause(ctx, said, (*lease.State).PauseGates)
}

func (a *Agent) pause(ctx context.Context, said audit.Command, gates func(*lease.State) []lease.Gate) error {
	if err := a.command(ctx, said, lease.Pause{For: said.For}, gates); err != nil || a.cfg.Term != nil {
		return err
	}
	until := time.Time{}
	if said.For > 0 {
		until = time.Now().Add(said.For)
	}
	if err := a.cfg.Disk.SavePause(until); err != nil {
		return fmt.Errorf("it is done, and would not outlive a restart of the agent: %w", err)
	}
	return nil
}

// A RefusedError says which gate a command found closed.
type RefusedError struct{ Gate lease.Gate }

func (e *RefusedError) Error() string {
	why := lease.ReasonOf(e.Gate.Code)
	text := fmt.Sprintf("refused by the gate %s", e.Gate.Code)
	if e.Gate.Region != "" {
		text += fmt.Sprintf(" (%s)", e.Gate.Region)
	}
	text += ": " + why.Text
	if why.Remedy != "" {
		text += "; " + why.Remedy
	}
	return text
}

func (a *Agent) command(ctx context.Context, said audit.Command, event lease.Event, gates func(*lease.State) []lease.Gate) error {
	m := &command{said, event, gates, make(chan error, 1)}
	select {
	case a.inbox <- m:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-m.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Agent) obey(calls context.Context, m *command) {
	a.journalCommand(m.said)
	for _, g := range m.gates(a.state) {
		if !g.Open {
			m.done <- &RefusedError{g}
			return
		}
	}
	a.step(calls, m.event)
	m.done <- nil
}
