package main

import "fmt"

// What §4 says: questions and pledges.

// A round is one of questions to all other regions.
type round struct {
	verb      string
	sent      int64
	sentAt    int64 // of the trace
	epoch     uint64
	authority bool
	safety    string
	term      uint64
	asks      map[uint64]string // those that are open, and whom
	answers   map[string]answer
	ended     bool // nobody is waited for any more
	voided    bool // it has pledged to another since
}

// String says what has come of the round.
func (r *round) String() string {
	if r == nil {
		return "nobody was asked"
	}
	return fmt.Sprintf("asked to %s for epoch %d at %d: %d have answered, %d not", r.verb, r.epoch, r.sent, len(r.answers), len(r.asks))
}

// newest is the last round; nil if there is none.
func (a *agent) newest() *round {
	if len(a.rounds) == 0 {
		return nil
	}
	return a.rounds[len(a.rounds)-1]
}

// ask is a question. Those of one step are a round, which takes the place of the one before it.
func (a *agent) ask(act askAction, more bool) {
	q := act.Question
	if !more {
		if len(a.rounds) == 16 {
			a.rounds = a.rounds[1:]
		}
		a.rounds = append(a.rounds, &round{verb: q.Verb, sent: a.now, sentAt: a.c.at, epoch: q.Epoch, authority: q.Authority, safety: q.Safety, term: q.Term, asks: map[uint64]string{}, answers: map[string]answer{}})
	}
	a.newest().asks[act.ID] = act.To
}

// answered takes an answer in, if it is to the newest round and in time.
func (a *agent) answered(ev answeredEvent) {
	r := a.newest()
	if r == nil {
		return
	}
	if to, is := r.asks[ev.ID]; !is || to != ev.From || r.ended || r.voided || a.now-r.sent > a.p.RequestTimeout {
		return
	}
	delete(r.asks, ev.ID)
	if ev.Reached {
		a.heard(r, ev)
	}
	r.ended = true
	for _, m := range r.asks {
		r.ended = r.ended && a.word[m] != 0
	}
}

// heard takes in what an answer says.
func (a *agent) heard(r *round, ev answeredEvent) {
	delete(a.word, ev.From)
	ans := ev.Answer
	r.answers[ev.From] = ans
	switch {
	case ans.Authority: // evidence, of the age that its authority has
		a.saw(ev.From, ans.Epoch)
		a.holder = max(a.holder, ans.Epoch)
		a.evidence[ev.From] = max(a.evidence[ev.From], a.now+a.p.longer(min(ans.Remaining, a.p.TTL))-a.p.longer(a.p.TTL))
	case ans.Epoch > 0:
		a.saw(ans.Whose, ans.Epoch)
	}
}

// pledged reports whether a region's pledge to a round counts, or is not waited for.
func (a *agent) pledged(r *round, region string) bool {
	ans, came := r.answers[region]
	return came && ans.Granted && ans.Safety == r.safety || a.word[region] != 0
}

// everyPledge is the round to which all others have pledged; nil if there is none.
func (a *agent) everyPledge() *round {
	r := a.newest()
	if r == nil || r.verb != "pledge" || r.voided {
		return nil
	}
	for _, m := range a.p.others() {
		if !a.pledged(r, m) {
			return nil
		}
	}
	return r
}

// pledgeBase is the sending of the questions that all others have answered by a pledge, by one that holds authority or
// by one that does not.
func (a *agent) pledgeBase(authority bool) int64 {
	if r := a.everyPledge(); r != nil && r.authority == authority && r.epoch == a.epoch {
		return r.sent
	}
	return never
}

// takeByPledges looks at the pledges by which a region takes.
func (a *agent) takeByPledges() {
	r := a.everyPledge()
	a.c.want(r != nil && r.epoch == a.epoch && !r.authority, "every-pledge", a.name, func() string {
		return fmt.Sprintf("it takes epoch %d, and not all have pledged to that: %s", a.epoch, a.newest())
	})
	last := a.newest()
	a.c.want(last != nil && !last.voided, "voided", a.name, func() string { return "it takes by questions that were open when it pledged to another region" })
	a.wantGiven()
	if r == nil {
		return
	}
	for _, m := range a.p.others() {
		if ans, came := r.answers[m]; came {
			for to, at := range a.pledgedTo {
				a.c.want(to.region != m || to.term == ans.Term || a.now >= at+a.p.longer(a.p.TTL), "pledge-of-term", a.name, func() string {
					return fmt.Sprintf("it takes by the pledge of %s in term %d, and pledged to term %d of it at %d", m, ans.Term, to.term, at)
				})
			}
		}
		for _, b := range a.c.of(m) {
			if b.acts() && b.free && a.word[m] == 0 {
				a.c.want(!a.c.layers[m], "pledgers-fenced", a.name, func() string { return "it takes by pledges, and layers of " + m + " are active" })
			}
		}
	}
}

// wantGiven looks for the pledges that count where they were given.
func (a *agent) wantGiven() {
	r := a.everyPledge()
	if r == nil || !a.c.complete {
		return
	}
	for _, m := range a.p.others() {
		if _, came := r.answers[m]; came {
			at, given := a.c.given[pledge{m, a.region, r.epoch, r.authority, r.term}]
			a.c.want(given && at >= r.sentAt, "pledge-given", a.name, func() string {
				return fmt.Sprintf("the pledge of %s for epoch %d counts, and %s has not given it since it was asked", m, r.epoch, m)
			})
		}
	}
}

// wantVeto looks at whether a candidate has asked the others, no earlier than at a time, and given them time to answer.
func (a *agent) wantVeto(since int64) {
	asked := false
	for _, r := range a.rounds {
		asked = asked || r.sent >= since && (r.ended || a.now >= r.sent+a.p.RequestTimeout)
	}
	a.c.want(asked, "veto", a.name, func() string {
		return fmt.Sprintf("it takes by the witness, and has not asked the others since %d", since)
	})
}

// askedQuestion is a question of another region.
func (a *agent) askedQuestion(ev askedEvent) {
	if a.state == follower || ev.Question.Epoch == 0 {
		return // of a person: it changes nothing
	}
	delete(a.word, ev.From)
	if ev.Question.Verb == "pledge" {
		a.asked[ev.ID] = asked{ev.From, ev.Question, a.now, a.highest, a.whose, a.holder, a.confirmed(), a.alone}
	}
}

// asked is a question for a pledge, and what the agent knew when it came: a pledge that waits for the shared record is
// decided then.
type asked struct {
	from             string
	question         question
	at               int64
	highest          uint64
	whose            string
	holder           uint64
	confirmed, alone bool
}

// reply is an answer: of those that pledge, the promise is kept by what follows, as it is evidence of the asker.
func (a *agent) reply(act replyAction) {
	ev, is := a.asked[act.ID]
	delete(a.asked, act.ID)
	if !is || !act.Answer.Granted {
		return
	}
	q := ev.question
	a.c.pledges++
	a.c.want(a.gone(), "pledge-unheld", a.name, func() string { return "it pledges to " + ev.from + ", and " + a.notGone() })
	a.c.want(q.Safety == act.Answer.Safety, "same-safety", a.name, func() string { return "it pledges to " + ev.from + ", whose safety parameters differ" })
	if q.Authority {
		a.c.want(q.Epoch >= ev.holder, "pledge-epoch", a.name, func() string {
			return fmt.Sprintf("it pledges to a holder for epoch %d, and has seen one of %d", q.Epoch, ev.holder)
		})
		a.holder = max(a.holder, q.Epoch)
	} else {
		a.c.want(q.Epoch > ev.highest || q.Epoch == ev.highest && ev.whose == ev.from, "pledge-epoch", a.name, func() string {
			return fmt.Sprintf("it pledges to %s for epoch %d, and has seen %d of %s", ev.from, q.Epoch, ev.highest, ev.whose)
		})
		a.c.want(a.p.Instance == "" || a.alone || ev.alone, "alone", a.name, func() string {
			return fmt.Sprintf("it pledges to %s, and others of its region may hold authority: %v", ev.from, a.record.MayHold)
		})
	}
	a.c.want(a.savedEpoch >= q.Epoch, "pledge-saved", a.name, func() string { return fmt.Sprintf("it pledges for epoch %d, and has saved %d", q.Epoch, a.savedEpoch) })
	a.wantConfirmed(a.confirmed() || ev.confirmed, "pledges")
	a.wantCleared("pledges")
	if a.p.Instance != "" {
		a.c.want(a.record.Epoch >= q.Epoch, "pledge-recorded", a.name, func() string {
			return fmt.Sprintf("it pledges for epoch %d, and the record bears %d", q.Epoch, a.record.Epoch)
		})
	}
	a.saw(ev.from, q.Epoch)
	a.evidence[ev.from] = max(a.evidence[ev.from], ev.at)
	a.pledgedTo[pledgedTo{ev.from, q.Term}] = ev.at
	for _, r := range a.rounds {
		r.voided = r.voided || r.verb == "pledge" && r.sent <= ev.at
	}
	a.c.given[pledge{a.region, ev.from, q.Epoch, q.Authority, q.Term}] = a.c.at
}

// takeover is an operator's word that a region is down and fenced. It is taken for true: nobody waits for what that one
// held.
func (a *agent) takeover(ev takeoverEvent, actions []tagged) {
	for _, t := range actions {
		if t.Type != "Notice" || ev.Fenced == "" || as[noticeAction](t).Reason != "peer_declared_fenced" {
			continue
		}
		a.word[ev.Fenced] = a.now + a.p.ApprovalTimeout
		for _, b := range a.c.of(ev.Fenced) {
			b.held = false
		}
	}
}
