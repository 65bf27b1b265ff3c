package lease_test

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// lines prints what one Step brought: the time once, then one line each.
type lines struct {
	*script
	begun bool
}

func (l *lines) print(text string) {
	when := ""
	if !l.begun {
		when = l.time(l.now)
	}
	l.begun = true
	fmt.Fprintf(&l.out, "%9s  %s\n", when, text)
}

func (s *script) flush() string {
	text := s.out.String()
	s.out.Reset()
	if text == "" {
		return "ok\n"
	}
	return text
}

// time is a time of the story in seconds, to the millisecond.
func (s *script) time(d time.Duration) string {
	return strconv.FormatFloat(float64(d.Round(time.Millisecond).Milliseconds())/1000, 'f', -1, 64) + "s"
}

// at is an instant as a time of the story.
func at(t lease.Instant) string {
	switch t {
	case lease.Never:
		return "never"
	case -lease.Never:
		return "-never"
	}
	return (*script)(nil).time(t.Sub(epochOfClock))
}

func roundName(id lease.ActionID) string { return "r" + strconv.FormatUint(uint64(id), 10) }

// idName is a write id as a script spells it.
func (s *script) idName(id lease.WriteID) string {
	return fmt.Sprintf("w%d.%d", id.Incarnation()%1000, id.Seq())
}

func (s *script) readText(r lease.FlagRead) string {
	switch r.Outcome {
	case lease.ReadMissing:
		return "missing"
	case lease.ReadFound:
		return fmt.Sprintf("%s:%d:%s", r.Flag.State, r.Flag.Epoch, s.idName(r.Flag.WriteID))
	case lease.ReadMalformed:
		return fmt.Sprintf("malformed:%d", r.Flag.WriteID.Seq())
	}
	return "unknown"
}

// answerText tells of a round if it says of the others what the last one did
// not, or if the story answers it.
func (s *script) answerText(id lease.ActionID, ev lease.RoundRead) string {
	var others []string
	for i, m := range s.p.Members {
		if m != s.p.Region || s.held["reads"] {
			others = append(others, fmt.Sprintf("%s=%s", m, s.readText(ev.Flags[i])))
		}
	}
	text := strings.Join(others, " ")
	if text == s.lastAnswer && !s.held["reads"] {
		return ""
	}
	s.lastAnswer = text
	if s.held["reads"] {
		return roundName(id) + " says " + text
	}
	return "read says " + text
}

// actionText is an action that needs no answer.
func actionText(a lease.Action) string {
	switch a := a.(type) {
	case lease.Reply:
		return "answer: " + replyText(a.Answer)
	case lease.Extend:
		return "authority until " + at(a.Deadline)
	case lease.Transition:
		from := string(a.From)
		if from == "" {
			from = "nothing"
		}
		return fmt.Sprintf("%s -> %s: %s, epoch %d", strings.ToUpper(from), strings.ToUpper(string(a.To)), a.Reason, a.Epoch)
	case lease.Notice:
		text := "NOTICE " + string(a.Reason)
		if a.Region != "" {
			text += " " + string(a.Region)
		}
		if a.Detail != "" {
			text += ": " + a.Detail
		}
		return text
	}
	return fmt.Sprintf("%T", a)
}

// printState prints the decision that stands.
func (s *script) printState() {
	d := s.d
	fmt.Fprintf(&s.out, "= %s %s (%s)", s.time(s.now), d.State, d.Reason)
	if d.Epoch > 0 {
		fmt.Fprintf(&s.out, " epoch %d", d.Epoch)
	}
	if d.Authority {
		fmt.Fprintf(&s.out, ", authority until %s, fences at %s", at(d.Deadline), at(d.FenceAt))
	}
	if s.p.Instance != "" {
		fmt.Fprintf(&s.out, ", term %d", d.Term)
		if d.Term > 0 && !d.Confirmed {
			s.out.WriteString(" unconfirmed")
		}
		if d.Heir {
			s.out.WriteString(", heir")
		}
	}
	if d.Degraded {
		s.out.WriteString(", degraded")
	}
	switch {
	case d.LayersFenced:
		s.out.WriteString(", layers fenced")
	case d.LayersActive:
		s.out.WriteString(", layers active")
	}
	if d.Holder != "" {
		fmt.Fprintf(&s.out, ", holder %s", d.Holder)
	}
	if d.PausedUntil > d.Now {
		fmt.Fprintf(&s.out, ", paused until %s", at(d.PausedUntil))
	}
	if d.Request.Kind != "" {
		fmt.Fprintf(&s.out, ", asks to %s until %s", d.Request.Kind, at(d.Request.Until))
	}
	if d.PermittedUntil > d.Now {
		fmt.Fprintf(&s.out, ", permitted until %s", at(d.PermittedUntil))
	}
	if d.Released {
		s.out.WriteString(", released")
	}
	s.out.WriteString("\n")
}

func (s *script) printGates(gates []lease.Gate) {
	for _, g := range gates {
		mark := "    "
		if g.Open {
			mark = "open"
		}
		fmt.Fprintf(&s.out, "%s %s", mark, g.Code)
		if g.Region != "" {
			fmt.Fprintf(&s.out, " %s", g.Region)
		}
		if g.Evidence != lease.Never {
			fmt.Fprintf(&s.out, ", rests on %s", at(g.Evidence))
		}
		if !g.Open && g.OpensAt != lease.Never {
			fmt.Fprintf(&s.out, ", opens at %s at the earliest", at(g.OpensAt))
		}
		s.out.WriteString("\n")
	}
}

func (s *script) printPeers() {
	for _, p := range s.s.Peers() {
		fmt.Fprintf(&s.out, "%s: known %v, state %q, epoch %d, last record %s, last sign of life %s", p.Region, p.Known, p.State, p.Epoch, at(p.Recorded), at(p.Evidence))
		if len(p.Differs) > 0 {
			fmt.Fprintf(&s.out, ", differs in %s", strings.Join(p.Differs, ", "))
		}
		if len(p.Degraded) > 0 {
			fmt.Fprintf(&s.out, ", degraded: %s", strings.Join(p.Degraded, ", "))
		}
		if len(p.Behind) > 0 {
			fmt.Fprintf(&s.out, ", behind: %s", strings.Join(p.Behind, ", "))
		}
		if p.Fenced {
			s.out.WriteString(", declared fenced")
		}
		s.out.WriteString("\n")
	}
}

func (s *script) printAlarms() {
	for _, n := range s.s.Alarms() {
		fmt.Fprintln(&s.out, actionText(n))
	}
	if len(s.s.Alarms()) == 0 {
		fmt.Fprintln(&s.out, "none")
	}
}
