package lease_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/openova-io/failoverd/lease"
)

// performAsk is a question on its way: the other region answers as the story has said, or is silent.
func (s *script) performAsk(a lease.Ask) string {
	if s.held["answers"] {
		s.asks = append(s.asks, a)
	} else {
		text := s.said[a.To]
		if text == "" {
			text = "silent"
		}
		s.answerIn(s.trip, "", func() lease.Event {
			ev, err := s.parseAnswer(a, text)
			if err != nil {
				panic(err)
			}
			return ev
		})
	}
	if a.Question.HandOver {
		if a.Question.Loan {
			return fmt.Sprintf("tell %s to take, by order, on loan", a.To)
		}
		if a.Question.Ordered {
			return fmt.Sprintf("tell %s to take, by order", a.To)
		}
		return fmt.Sprintf("tell %s to take", a.To)
	}
	if a.Question.Loan {
		return fmt.Sprintf("ask %s to give back", a.To)
	}
	if a.Question.Verb == lease.VerbStatus {
		if s.held["answers"] {
			return fmt.Sprintf("ask %s for its status", a.To)
		}
		return ""
	}
	return fmt.Sprintf("ask %s for its pledge, epoch %d", a.To, a.Question.Epoch)
}

// parseAnswer parses what a region says to a question: silent, cut-off, grants[:degraded], other-parameters,
// refuses:WHY[:EPOCH:WHOSE] or active:EPOCH:REMAINING.
func (s *script) parseAnswer(a lease.Ask, text string) (lease.Answered, error) {
	ev := lease.Answered{ID: a.ID, From: a.To, Reached: true}
	ev.Answer.State, ev.Answer.Safety = lease.Standby, lease.SafetyHash(s.p.Safety())
	parts := strings.Split(text, ":")
	switch {
	case text == "silent":
		return lease.Answered{ID: a.ID, From: a.To}, nil
	case text == "cut-off":
		return lease.Answered{ID: a.ID, From: a.To, CutOff: true}, nil
	case text == "grants":
		ev.Answer.Granted = true
	case text == "grants:waits":
		ev.Answer.Granted, ev.Answer.Waits = true, true
	case text == "grants:paused":
		ev.Answer.Granted, ev.Answer.Paused = true, true
	case text == "grants:degraded":
		ev.Answer.Granted, ev.Answer.Degraded = true, true
	case parts[0] == "grants" && len(parts) == 3 && parts[1] == "term":
		term, err := strconv.ParseUint(parts[2], 10, 64)
		if err != nil {
			return ev, err
		}
		ev.Answer.Granted, ev.Answer.Term = true, term
	case text == "grants:behind":
		ev.Answer.Granted, ev.Answer.Behind = true, true
	case text == "other-parameters":
		ev.Answer.Granted, ev.Answer.Safety = true, "0011223344556677"
	case parts[0] == "refuses" && (len(parts) == 2 || len(parts) == 4):
		ev.Answer.Why = lease.ReasonCode(parts[1])
		if len(parts) == 4 {
			epoch, err := strconv.ParseUint(parts[2], 10, 64)
			if err != nil {
				return ev, err
			}
			ev.Answer.Epoch, ev.Answer.Whose = epoch, lease.Region(parts[3])
		}
	case parts[0] == "active" && len(parts) == 3:
		epoch, err := strconv.ParseUint(parts[1], 10, 64)
		if err != nil {
			return ev, err
		}
		ev.Answer = lease.Answer{State: lease.Active, Authority: true, Remaining: seconds(parts[2]), Epoch: epoch, Why: lease.RefusedActive, Safety: ev.Answer.Safety}
	default:
		return ev, fmt.Errorf("%q: want silent, cut-off, grants[:degraded|:behind|:waits|:paused], other-parameters, refuses:WHY[:EPOCH:WHOSE] or active:EPOCH:REMAINING", text)
	}
	return ev, nil
}

// told answers a question to a region that the story held back, the last one, or the first one that
// is left: told b=grants first.
func (s *script) told(td *datadriven.TestData) error {
	arg := td.CmdArgs[0]
	which := -1
	for i, a := range s.asks {
		if a.To == lease.Region(arg.Key) && (which < 0 || !td.HasArg("first")) {
			which = i
		}
	}
	if which < 0 {
		return fmt.Errorf("nothing was asked of %s", arg.Key)
	}
	a := s.asks[which]
	s.asks = slices.Delete(s.asks, which, which+1)
	ev, err := s.parseAnswer(a, arg.Vals[0])
	if err != nil {
		return err
	}
	s.step(fmt.Sprintf("%s says %s", arg.Key, arg.Vals[0]), ev)
	s.printState()
	return nil
}

// beAsked is a question of another region: asked b pledge epoch=5 term=3 authority hand-over other-parameters.
func (s *script) beAsked(td *datadriven.TestData) error {
	s.questions++
	ev := lease.Asked{ID: s.questions, From: lease.Region(td.CmdArgs[0].Key)}
	ev.Question.Safety = lease.SafetyHash(s.p.Safety())
	for _, arg := range td.CmdArgs[1:] {
		switch arg.Key {
		case "status", "pledge":
			ev.Question.Verb = lease.Verb(arg.Key)
		case "epoch":
			epoch, err := strconv.ParseUint(arg.Vals[0], 10, 64)
			if err != nil {
				return err
			}
			ev.Question.Epoch = epoch
		case "term":
			term, err := strconv.ParseUint(arg.Vals[0], 10, 64)
			if err != nil {
				return err
			}
			ev.Question.Term = term
		case "authority":
			ev.Question.Authority = true
		case "hand-over":
			ev.Question.HandOver = true
		case "loan":
			ev.Question.Loan = true
		case "ordered":
			ev.Question.HandOver, ev.Question.Ordered = true, true
		case "other-parameters":
			ev.Question.Safety = "0011223344556677"
		default:
			return fmt.Errorf("asked: unknown %q", arg.Key)
		}
	}
	s.step("", ev)
	s.printState()
	return nil
}

func replyText(a lease.Answer) string {
	text := string(a.State)
	if a.Degraded {
		text += ", degraded"
	}
	if a.Behind {
		text += ", behind"
	}
	if a.Authority {
		text += fmt.Sprintf(", epoch %d, authority for %v more", a.Epoch, a.Remaining.Round(time.Millisecond))
	}
	if a.Granted {
		return text + ", granted"
	}
	text += ", not granted: " + string(a.Why)
	if !a.Authority && a.Epoch > 0 {
		text += fmt.Sprintf(", the highest is %d of %q", a.Epoch, a.Whose)
	}
	return text
}
