package sim

import (
	"fmt"
	"strings"

	"github.com/openova-io/failoverd/lease"
)

// traceStep tells one step of a region's machine, but for the polls that bring
// nothing.
func (r *region) traceStep(now lease.Instant, ev lease.Event, actions []lease.Action) {
	var told []string
	for _, a := range actions {
		switch a := a.(type) {
		case lease.ReadRound, lease.Extend, lease.SaveAuthority:
		case lease.Ask:
			if a.Question.Verb == lease.VerbPledge {
				told = append(told, fmt.Sprintf("asks %s for its pledge for epoch %d", a.To, a.Question.Epoch))
			}
		case lease.Reply:
			if asked, ok := ev.(lease.Asked); ok {
				told = append(told, fmt.Sprintf("answers %s's %s for epoch %d: granted %v %s", asked.From, asked.Question.Verb, asked.Question.Epoch, a.Answer.Granted, a.Answer.Why))
			}
		case lease.WriteFlag:
			told = append(told, fmt.Sprintf("writes %s epoch %d (%d)", a.Flag.State, a.Flag.Epoch, a.Flag.WriteID.Seq()))
		case lease.Transition:
			told = append(told, fmt.Sprintf("%s -> %s (%s) epoch %d", a.From, a.To, a.Reason, a.Epoch))
		case lease.Notice:
			told = append(told, fmt.Sprintf("notice %s %s %s", a.Reason, a.Region, a.Detail))
		case lease.Fence:
			told = append(told, "fences")
		case lease.Activate:
			told = append(told, "activates")
		case lease.WriteTerm:
			if a.Record.Holder != a.After.Holder || len(a.Record.MayHold) != len(a.After.MayHold) {
				told = append(told, fmt.Sprintf("writes the term: %+v", a.Record))
			}
		}
	}
	if w, ok := ev.(lease.TermWritten); ok && w.Outcome != lease.TermAcked {
		told = append(told, fmt.Sprintf("the term is not written: %d", w.Outcome))
	}
	if w, ok := ev.(lease.FlagWritten); ok {
		told = append(told, fmt.Sprintf("write acknowledged: %v", w.Acked))
	}
	if len(told) > 0 {
		r.w.trace("%s at %d: %s", r.name, now, strings.Join(told, "; "))
	}
}
