package gap

import (
	"fmt"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

var params = lease.Params{Region: "a", Members: []lease.Region{"a", "b", "c"}, Staleness: 60 * time.Second, FenceTimeout: 10 * time.Second}

// A script is what a lease is told, a step a line, and the gaps that the finder sees.
type script struct {
	finder *Finder
	now    lease.Instant
	id     lease.ActionID
	got    string
}

func (s *script) step(at float64, ev lease.Event, actions ...lease.Action) {
	s.now = lease.Instant(at * 1e9)
	if g := s.finder.Step(s.now, ev, actions); g != nil {
		most := "not known"
		if g.AtMost != nil {
			most = fmt.Sprintf("%.1f", *g.AtMost)
		}
		s.got += fmt.Sprintf("%.1f: %s to %s, epoch %d: since %.1f, at most %s; ", at, g.Before, g.After, g.Epoch, g.Since, most)
	}
}

// read is a round, asked for at a time and answered half a second later, in which b has a flag.
func (s *script) read(at float64, state lease.FlagState, epoch, incarnation, seq uint64) {
	s.id++
	s.step(at, lease.Tick{}, lease.ReadRound{ID: s.id})
	b := lease.FlagRead{Outcome: lease.ReadMissing}
	if state != "" {
		b = lease.FlagRead{Outcome: lease.ReadFound, Flag: lease.Flag{State: state, Epoch: epoch, WriteID: lease.NewWriteID(incarnation, seq)}}
	}
	s.step(at+0.5, lease.RoundRead{ID: s.id, Flags: []lease.FlagRead{{Outcome: lease.ReadMissing}, b, {Outcome: lease.ReadUnknown}}})
}

// ask is a question to c, answered half a second later.
func (s *script) ask(at float64, answer lease.Answer) {
	s.id++
	s.step(at, lease.Tick{}, lease.Ask{ID: s.id, To: "c"})
	s.step(at+0.5, lease.Answered{ID: s.id, From: "c", Reached: true, Answer: answer})
}

func (s *script) become(at float64, from, to lease.StateName, epoch uint64, why lease.ReasonCode) {
	s.step(at, lease.Tick{}, lease.Transition{From: from, To: to, Epoch: epoch, Reason: why})
}

func TestGaps(t *testing.T) {
	active := lease.FlagActive
	take := func(s *script, at float64, epoch uint64) {
		s.step(at, lease.Tick{}, lease.Transition{From: lease.Candidate, To: lease.Active, Epoch: epoch, Reason: lease.ReasonTaken}, lease.Activate{Deadline: lease.Instant((at + 30) * 1e9)})
	}
	for name, tt := range map[string]struct {
		run  func(*script)
		want string
	}{
		"the first of all": {func(s *script) { s.read(0, "", 0, 0, 0); take(s, 9, 1) }, "9.0:  to a, epoch 1: since 0.0, at most not known; "},
		"an old record is all that is known": {func(s *script) { s.read(0, active, 4, 7, 1); take(s, 90, 5) },
			"90.0: b to a, epoch 5: since 89.5, at most not known; "},
		"the newest record may be as old as a read": {func(s *script) {
			s.read(0, active, 4, 7, 1)
			s.read(10, active, 4, 7, 2) // written after -60, or the round of 0 would have had it
			s.read(20, active, 4, 7, 2)
			take(s, 100, 5)
		}, "100.0: b to a, epoch 5: since 89.5, at most 160.0; "},
		"a round that did not read it says nothing": {func(s *script) {
			s.read(0, active, 4, 7, 1)
			s.step(10, lease.Tick{}, lease.ReadRound{ID: 99})
			s.step(10.5, lease.RoundRead{ID: 99, Flags: []lease.FlagRead{{}, {Outcome: lease.ReadUnknown}, {}}})
			s.read(20, active, 4, 7, 2)
			take(s, 100, 5)
		}, "100.0: b to a, epoch 5: since 79.5, at most 160.0; "},
		"a round at another witness says nothing": {func(s *script) {
			s.read(0, active, 4, 7, 1)
			s.step(10, lease.Tick{}, lease.ReadRound{ID: 99, Witness: 1})
			s.step(10.5, lease.RoundRead{ID: 99, Witness: 1, Flags: []lease.FlagRead{{}, {Outcome: lease.ReadMissing}, {}}})
			s.read(20, active, 4, 7, 2)
			take(s, 100, 5)
		}, "100.0: b to a, epoch 5: since 79.5, at most 160.0; "},
		"an old record that comes again is none": {func(s *script) {
			s.read(0, active, 4, 7, 1)
			s.read(10, active, 4, 7, 3)
			s.read(20, active, 4, 7, 1)
			s.read(30, active, 4, 7, 3)
			s.read(40, active, 4, 7, 2)
			take(s, 100, 5)
		}, "100.0: b to a, epoch 5: since 89.5, at most 160.0; "},
		"a candidate holds nothing": {func(s *script) {
			s.read(0, active, 4, 7, 1)
			s.read(10, lease.FlagCandidate, 5, 8, 1)
			take(s, 100, 6)
		}, "100.0: b to a, epoch 6: since 99.5, at most not known; "},
		"an answer is as new as its question": {func(s *script) {
			s.read(0, active, 3, 7, 1)
			s.ask(5, lease.Answer{State: lease.Active, Authority: true, Epoch: 4})
			s.ask(8, lease.Answer{State: lease.Fencing, Authority: true, Epoch: 4})
			take(s, 9, 5)
		}, "9.0: c to a, epoch 5: since 3.5, at most 4.0; "},
		"a word of before is no news": {func(s *script) {
			s.ask(5, lease.Answer{State: lease.Active, Authority: true, Epoch: 4})
			s.read(6, active, 3, 7, 1)
			take(s, 9, 5)
		}, "9.0: c to a, epoch 5: since 3.5, at most 4.0; "},
		"a later word that may be older": {func(s *script) {
			s.step(0, lease.Tick{}, lease.Ask{ID: 98, To: "b"})
			s.step(0.5, lease.Answered{ID: 98, From: "b", Reached: true, Answer: lease.Answer{State: lease.Active, Authority: true, Epoch: 4}})
			s.read(1, active, 4, 7, 1)
			take(s, 9, 5)
		}, "9.0: b to a, epoch 5: since 7.5, at most 9.0; "},
		"from itself": {func(s *script) {
			take(s, 1, 1)
			s.step(5, lease.Tick{})
			s.become(6, lease.Active, lease.Fencing, 1, lease.ReasonRenewalLate)
			s.become(7, lease.Fencing, lease.Standby, 1, lease.ReasonFenced)
			take(s, 20, 2)
		}, "1.0:  to a, epoch 1: since 0.0, at most not known; 20.0: a to a, epoch 2: since 14.0, at most 14.0; "},
		"handed over": {func(s *script) {
			take(s, 1, 1)
			s.become(6, lease.Active, lease.Fencing, 1, lease.ReasonHandedOver)
			s.become(6.2, lease.Fencing, lease.Standby, 1, lease.ReasonFenced)
			s.ask(6.3, lease.Answer{State: lease.Active, Authority: true, Epoch: 1}) // no later one
			s.ask(7, lease.Answer{State: lease.Active, Authority: true, Epoch: 2})
			s.ask(8, lease.Answer{State: lease.Active, Authority: true, Epoch: 2})
			take(s, 20, 3)
		}, "1.0:  to a, epoch 1: since 0.0, at most not known; 7.5: a to c, epoch 2: since 1.5, at most 1.5; 20.0: c to a, epoch 3: since 11.5, at most 12.0; "},
		"it stood still past its deadline": {func(s *script) {
			take(s, 1, 1) // and has to fence at 21
			s.step(11, lease.Tick{}, lease.Extend{Deadline: 41e9})
			s.become(75, lease.Active, lease.Fencing, 1, lease.ReasonAuthorityExpired)
			s.ask(76, lease.Answer{State: lease.Active, Authority: true, Epoch: 2})
		}, "1.0:  to a, epoch 1: since 0.0, at most not known; 76.5: a to c, epoch 2: since 65.5, at most 65.5; "},
		"authority goes on": {func(s *script) {
			s.become(0, "", lease.Active, 3, lease.ReasonResumed)
			s.become(6, lease.Active, lease.Fencing, 3, lease.ReasonRenewalLate)
			s.become(7, lease.Fencing, lease.Active, 3, lease.ReasonRenewed)
			s.become(8, lease.Active, lease.Follower, 3, lease.ReasonResigned)
			s.ask(9, lease.Answer{State: lease.Active, Authority: true, Epoch: 4})
		}, ""},
	} {
		s := script{finder: New(&params)}
		tt.run(&s)
		if s.got != tt.want {
			t.Errorf("%s:\ngot  %s\nwant %s", name, s.got, tt.want)
		}
	}
}

func TestText(t *testing.T) {
	most := func(s float64) *float64 { return &s }
	for want, g := range map[string]Gap{
		"nobody is known to have been active before":                                                                           {After: "a", Epoch: 1},
		"the newest word that b was active came 89.50 s before, and how old it was is not known":                               {Before: "b", After: "a", Epoch: 5, Since: 89.5},
		"no region was active for at most 160.00 s: the newest word that b was came 89.50 s before, and was up to 70.50 s old": {Before: "b", After: "a", Epoch: 5, Since: 89.5, AtMost: most(160)},
		"no region was active for at most 2.84 s: the newest word that b was came 2.84 s before":                               {Before: "b", After: "a", Epoch: 5, Since: 2.84, AtMost: most(2.841)},
		"no region was active for at most 14.00 s: since this one was":                                                         {Before: "a", After: "a", Epoch: 2, Since: 14, AtMost: most(14)},
		"no region was active for at most 1.50 s: then came the first word that c was, for epoch 2":                            {Before: "a", After: "c", Epoch: 2, Since: 1.5, AtMost: most(1.5)},
	} {
		if got := g.Text("a"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
