package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
)

// The verbs of an audit.Command.
const (
	SwitchOver = "switchover" // fence this region and hand its authority over to Region (§4)
	TakeOver   = "takeover"   // take, as soon as that is safe, and without the pledge of Region, which is down and fenced (§4)
	Approve    = "approve"    // let a semi-automatic region do what it asks for, Request (§4, modes)
	Deny       = "deny"       // have it not do so, and decide nothing by itself For a while
	Pause      = "pause"      // have the region decide nothing by itself For a while
	Resume     = "resume"     // end that
	Recall     = "recall"     // ask for authority back that was handed over on loan (§4, loan)
)

// MaxPause is the longest pause: one that is forgotten must end.
const MaxPause = 30 * 24 * time.Hour

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

// command is an operator's, on its way to the owner.
type command struct {
	ctx   context.Context // of the one who waits for done
	said  audit.Command
	at    Moment
	event lease.Event
	gates func(*lease.State) []lease.Gate // that say whether it can be done
	check bool                            // it is only asked whether it can
	done  chan error
}

// A Moment is when something was said, on the clock of a boot.
type Moment struct {
	At     lease.Instant `json:"at,omitempty"`
	BootID string        `json:"boot_id,omitempty"`
}

// ErrOld says that a command is not done, since it was not said a moment ago.
var ErrOld = errors.New("it was said longer than request_timeout ago, or on another boot's clock, and what has happened since is not known to whoever said it; look, and say it again")

// Command does what an operator says now.
func (a *Agent) Command(ctx context.Context, said audit.Command, check bool) error {
	return a.CommandOf(ctx, said, Moment{a.cfg.Clock.Now(), a.bootID}, check)
}

// CommandOf does what an operator has said at a moment, or with check only finds out whether it would be done. It returns when
// that has begun, or a *RefusedError or ErrOld. It writes to the journal first. Any goroutine may call it.
func (a *Agent) CommandOf(ctx context.Context, said audit.Command, at Moment, check bool) error {
	m := &command{ctx: ctx, said: said, at: at, check: check, done: make(chan error, 1)}
	until := at.At.Add(a.cfg.Params.RequestTimeout)
	if (said.Verb == Pause || said.Verb == Deny) && (said.For <= 0 || said.For > MaxPause) {
		return fmt.Errorf("%s for %v: want more than 0s, and at most %v", said.Verb, said.For, MaxPause)
	}
	switch said.Verb {
	case SwitchOver:
		m.event, m.gates = lease.HandOver{To: said.Region, Loan: said.Loan}, func(s *lease.State) []lease.Gate { return s.HandOverGates(said.Region) }
	case TakeOver:
		m.event, m.gates = lease.Takeover{Fenced: said.Region, Until: until}, func(s *lease.State) []lease.Gate { return s.TakeoverGates(said.Region) }
	case Approve:
		m.event, m.gates = lease.Approve{Kind: said.Request, Until: until}, func(s *lease.State) []lease.Gate { return s.ApproveGates(said.Request) }
	case Deny:
		m.event, m.gates = lease.Pause{For: said.For}, func(s *lease.State) []lease.Gate { return s.ApproveGates(said.Request) }
	case Pause:
		m.event, m.gates = lease.Pause{For: said.For}, (*lease.State).PauseGates
	case Resume:
		m.event, m.gates = lease.Pause{}, (*lease.State).PauseGates
	case Recall:
		m.event, m.gates = lease.Recall{}, (*lease.State).RecallGates
	default:
		return fmt.Errorf("there is no command %q", said.Verb)
	}
	return a.hand(ctx, m, m.done)
}

// keepPause has a pause outlive the agent, in the order in which such are said.
func (a *Agent) keepPause(d time.Duration, done chan<- error) {
	until := time.Time{}
	if d > 0 {
		until = time.Now().Add(d)
	}
	say := func(err error) {
		if err != nil {
			err = fmt.Errorf("it is done, and would not outlive a restart of the agent: %w", err)
		}
		done <- err // it has room for it
	}
	a.onDisk(func() { say(a.cfg.Disk.SavePause(until)) }, func() { say(errDiskBusy) })
}

func (a *Agent) obey(calls context.Context, m *command) {
	if m.ctx.Err() != nil {
		return // whoever has said it has given up: what has happened since he may not know
	}
	if !m.check {
		a.journalCommand(m.said)
		if now := a.cfg.Clock.Now(); m.at.BootID != a.bootID || m.at.At > now || now > m.at.At.Add(a.cfg.Params.RequestTimeout) {
			m.done <- ErrOld
			return
		}
	}
	for _, g := range m.gates(a.state) {
		if !g.Open {
			m.done <- &RefusedError{g}
			return
		}
	}
	if !m.check {
		a.chronicleCommand(m.said)
		a.step(calls, m.event)
	}
	if pause, is := m.event.(lease.Pause); is && !m.check && a.cfg.Term == nil { // else it is on the record that the instances share
		a.keepPause(pause.For, m.done)
		return
	}
	m.done <- nil
}
