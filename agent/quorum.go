package agent

import (
	"context"
	"errors"
	"maps"

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
