package main

import (
	"fmt"
	"math"
	"strconv"
)

// never is before every time.
const never = math.MinInt64 / 4

// told is a time for people.
func told(at int64) string {
	if at <= never || at >= -never {
		return "no time"
	}
	return strconv.FormatInt(at, 10)
}

// defaultApproval is what approval_timeout is where it is not configured.
const defaultApproval = 15 * 60 * 1e9

// States of a region (docs/reasons.md).
const (
	follower  = "follower"
	standby   = "standby"
	candidate = "candidate"
	active    = "active"
)

// An agent is one instance of a region, or the only one, as its trace shows it. Times are of its own clock, unless a
// comment says that they are the trace's.
type agent struct {
	c            *checker
	region, name string
	p            *params // nil: it has not started, or steps are missing
	now          int64

	boot            string
	bootAt, bootNow int64 // the first reading of its clock in this boot: the trace's time, and what it said
	free            bool  // it can act ...
	freeSince       int64 // ... since this time of the trace
	actsSince       int64 // of the trace: it acts for its region since then
	state           string
	epoch           uint64    // of its authority or candidacy
	saved           authority // found at the start
	before          int64     // the latest deadline that it ever had in this boot
	savedEpoch      uint64    // the highest that is on its disk, or on its way there
	disk            disk

	// Authority (§2).
	held     bool
	deadline int64
	end      int64  // the deadline as the trace's time
	ended    bool   // the layers were looked at when that was past
	begins   string // the reason for which it became active in this step; its deadline is to come

	// Layers.
	order  uint64 // the id of the order in force; 0 if there is none
	orders bool   // that is to be active
	fenced bool   // they are known to be inactive, by that order

	// The witnesses (§1, §3).
	reads    map[uint64]roundSent
	writes   map[uint64]write
	at       []*witness
	seen     map[writeID]bool
	evidence map[string]int64
	highest  uint64 // of others and of its own past
	whose    string // that is; empty if it is of several
	holder   uint64 // the highest that another is known to have been active for
	safety   map[string]string
	word     map[string]int64 // regions that an operator has said to be fenced, and until when that is good

	// The quorum (§4).
	rounds []*round // of questions, the newest last
	asked  map[uint64]asked

	instance
}

// A witness is what the agent knows by one.
type witness struct {
	bound   int64 // staleness
	flags   flags
	acks    []ack
	known   map[string]bool // members whose info record it has shown
	differs map[string]bool // whose safety parameters differ, as that says
	round   roundSent       // the newest complete one
	whole   bool            // there is one
	back    bool            // that returned the own flag, within the bound
	own     int64           // sending of the newest one that returned the own flag
}

// flags are the own ones of an epoch that a witness has acknowledged.
type flags struct {
	epoch       uint64
	first       int64 // when the first one was acknowledged
	any, active int64 // sending of the newest one, and of the newest that says active; never if there is none
}

type ack struct {
	id writeID
	at int64
}

type write struct {
	witness int
	sent    int64
	epoch   uint64
	state   string
	id      writeID
}

type roundSent struct {
	witness int
	sent    int64
	sentAt  int64 // of the trace
}

// be notes that the agent can act, or can't.
func (a *agent) be(free bool) {
	if free && !a.free {
		a.freeSince = a.c.at
	}
	a.free = free
}

// acts reports whether the agent acts for its region.
func (a *agent) acts() bool { return a.p != nil && a.state != "" && a.state != follower }

// when is the trace's time at which the agent's clock comes to read at: the earliest that it may be, where its rate
// can't be told yet.
func (a *agent) when(at int64) int64 {
	if !a.c.trueTime {
		return at
	}
	rate := 1 + a.p.MaxClockDrift
	if past := a.c.at - a.bootAt; past >= 1e9 {
		rate = float64(a.now-a.bootNow) / float64(past)
	}
	return a.c.at + int64(float64(at-a.now)/rate)
}

// tick takes a reading of the agent's clock in.
func (a *agent) tick(now int64) error {
	if now < a.now {
		return fmt.Errorf("the clock of %s goes back from %d to %d", a.name, a.now, now)
	}
	a.now = now
	if !a.c.trueTime {
		return nil
	}
	if past := a.c.at - a.bootAt; past >= 60e9 {
		rate := float64(now-a.bootNow) / float64(past)
		a.c.want(math.Abs(rate-1) <= a.p.MaxClockDrift+1e-6, "clock", a.name, func() string { return fmt.Sprintf("its clock runs at %v of true time's rate", rate) })
	}
	return nil
}

// start begins a life of the agent.
func (a *agent) start(now int64, ev startEvent) {
	was := *a
	*a = agent{
		c: a.c, region: a.region, name: a.name, p: a.p, now: now, free: was.free, freeSince: was.freeSince,
		boot: ev.BootID, bootAt: a.c.at, bootNow: now, saved: ev.Saved, savedEpoch: ev.Saved.Epoch,
		reads: map[uint64]roundSent{}, seen: map[writeID]bool{}, word: map[string]int64{},
		asked: map[uint64]asked{}, before: was.before,
	}
	if was.boot == ev.BootID && was.p != nil {
		a.bootAt, a.bootNow = was.bootAt, was.bootNow
	} else {
		a.before = never
	}
	if a.p.ApprovalTimeout == 0 {
		a.p.ApprovalTimeout = defaultApproval
	}
	a.saw(a.region, ev.Saved.Epoch)
	a.forget()
	if a.p.Instance == "" {
		a.begin()
	}
}

// forget ends what it knows as the one that acts for its region.
func (a *agent) forget() {
	a.at = nil
	for _, bound := range a.p.bounds() {
		a.at = append(a.at, &witness{bound: bound, known: map[string]bool{}, differs: map[string]bool{}, own: never})
	}
	a.writes = map[uint64]write{} // of no use any more
	a.rounds, a.held, a.begins, a.epoch = nil, false, "", 0
	a.order, a.orders, a.fenced = 0, false, false
	a.evidence, a.holder = map[string]int64{}, 0
	a.disk = disk{}
	a.word = map[string]int64{}
	a.instance.forget()
}

// begin has it act for its region: that is evidence of everyone (§3).
func (a *agent) begin() {
	for _, m := range a.p.Members {
		a.evidence[m] = a.now
	}
	a.actsSince = a.c.at
	a.lead()
	if a.saved.BootID == a.boot && a.saved.Deadline > a.now && a.saved.Term == a.term {
		a.disk.known = a.saved.Deadline
	}
}

// saw takes an epoch in that a region has, or had.
func (a *agent) saw(region string, epoch uint64) {
	switch {
	case epoch > a.highest:
		a.highest, a.whose = epoch, region
	case epoch == a.highest && a.whose != region:
		a.whose = ""
	}
}

// majority is how many of the witnesses it takes (§1).
func (a *agent) majority() int { return len(a.at)/2 + 1 }

// step takes a step of the agent in: what it was told, and what it did.
func (a *agent) step(s *step) error {
	if s.Event.Type == "Start" {
		a.start(s.Now, as[startEvent](s.Event))
	} else if err := a.tick(s.Now); err != nil {
		return err
	} else if a.state == "" {
		return fmt.Errorf("%s is told %s before its Start", a.name, s.Event.Type)
	}
	for region, until := range a.word {
		if !a.held && a.now >= until {
			delete(a.word, region)
		}
	}
	a.told(s.Event, s.Actions)
	a.judgeAlone()
	for i, t := range s.Actions {
		a.do(t, i > 0 && s.Actions[i-1].Type == "Ask")
	}
	a.judgeAlone()
	if a.begins != "" {
		a.c.find("from-sending", a.name, fmt.Sprintf("it is active (%s), and no deadline is set", a.begins))
		a.begins = ""
	}
	a.wantFencing()
	return nil
}

// told takes an event in.
func (a *agent) told(t tagged, actions []tagged) {
	switch t.Type {
	case "FlagWritten":
		a.written(as[outcomeEvent](t))
	case "RoundRead":
		a.read(as[roundEvent](t))
	case "AuthoritySaved":
		ev := as[outcomeEvent](t)
		a.disk.saved(ev.ID, ev.OK)
	case "LayersFenced":
		if ev := as[outcomeEvent](t); ev.ID == a.order && !a.orders {
			a.fenced = true
		}
	case "Asked":
		a.askedQuestion(as[askedEvent](t))
	case "Answered":
		a.answered(as[answeredEvent](t))
	case "Takeover":
		a.takeover(as[takeoverEvent](t), actions)
	case "TermRead":
		a.termRead(as[termReadEvent](t))
	case "TermWritten":
		a.termWritten(as[termWrittenEvent](t))
	}
}

// do takes an action in. more says that the one before it in the step was of the same round of questions.
func (a *agent) do(t tagged, more bool) {
	switch t.Type {
	case "WriteFlag":
		a.write(as[writeAction](t))
	case "ReadRound":
		act := as[roundAction](t)
		a.reads[act.ID] = roundSent{act.Witness, a.now, a.c.at}
	case "WriteInfo":
		a.safety = as[infoAction](t).Info.Safety
	case "SaveAuthority":
		a.save(as[saveAction](t))
	case "Extend":
		a.extend(as[orderAction](t).Deadline)
	case "Activate":
		a.activate(as[orderAction](t))
	case "Fence":
		act := as[orderAction](t)
		a.order, a.orders, a.fenced = act.ID, false, false
		a.c.terms[a.region] = max(a.c.terms[a.region], act.Term)
	case "StandDown":
		a.order, a.orders, a.fenced = 0, false, false
	case "Ask":
		a.ask(as[askAction](t), more)
	case "Reply":
		a.reply(as[replyAction](t))
	case "ReadTerm":
		a.recordReads[as[outcomeEvent](t).ID] = a.now
	case "WriteTerm":
		a.writesTerm(as[termWriteAction](t))
	case "Transition":
		a.become(as[transitionAction](t))
	}
}

// become takes a change of its state in.
func (a *agent) become(t transitionAction) {
	if t.From == follower {
		a.begin()
	}
	a.state = t.To
	switch t.To {
	case follower:
		a.keep(t.Reason)
		a.forget()
	case standby:
		if t.From != candidate {
			a.c.want(a.fenced, "given-up-fenced", a.name, func() string { return "it stands by, and its layers are not known to be inactive" })
			if a.held && a.fenced {
				a.wantInactive()
			}
		}
		a.held, a.epoch = false, 0
	case candidate:
		a.raise(t)
	case active:
		switch t.Reason {
		case "renewed":
			a.c.want(a.held && a.now < a.deadline, "no-revival", a.name, func() string { return "it is active again, and its authority does not stand" })
		default:
			a.epoch, a.begins = t.Epoch, t.Reason
		}
	}
}
