package sim

import (
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// resolvers is how many ways there are from each region to each other one.
const resolvers = 3

// question is one on its way, through all resolvers at once, as the client of
// package quorum asks it and the responder answers it: a region is told of it
// once in each of its lives, and all resolvers that bring it get that answer.
type question struct {
	id      uint64
	from    *region
	to      *region
	life    uint64 // of the asker
	ask     lease.Ask
	told    uint64 // the life of the asked region that was told; 0 for none
	reply   *lease.Answer
	waiting []int // resolvers that brought it and have no answer yet
	ballots []quorum.Ballot
	came    int // of them
	reached bool
}

// ask sends a question on its way.
func (w *world) ask(r *region, a lease.Ask) {
	w.questions++
	q := &question{
		id: w.questions, from: r, to: w.asked(a.To), life: r.life, ask: a,
		ballots: make([]quorum.Ballot, resolvers),
	}
	silent := 0
	for i := range resolvers {
		q.ballots[i].Outcome = quorum.Silent
		if r.cutAsking > 0 || q.to.cutAsked > 0 || w.hop(i) == lost {
			silent++
			continue
		}
		w.carry(q, i)
		if w.lossy && w.rng.IntN(8) == 0 {
			w.carry(q, i) // twice: it was asked again
		}
	}
	if w.rng.IntN(2) == 0 && silent > resolvers-w.required { // the client notices at its time-out; else the machine does
		w.schedule(happening{at: w.now.Add(r.params.RequestTimeout / 2), kind: ballot, load: q, id: resolvers})
	}
	if w.forger >= 0 && w.rng.IntN(2) == 0 {
		w.forge(q)
	}
}

// asked is the instance that a question to a region reaches: one that acts for it, or thinks
// that it does.
func (w *world) asked(name lease.Region) *region {
	first := slices.Index(w.cfg.Params.Members, name) * max(1, w.cfg.Instances)
	var acting []*region
	for _, r := range w.regions[first : first+max(1, w.cfg.Instances)] {
		if r.up && !r.follows() {
			acting = append(acting, r)
		}
	}
	if len(acting) > 1 {
		return acting[w.rng.IntN(len(acting))]
	}
	return append(acting, w.regions[first])[0]
}

const lost = -1

// hop is the time that a message takes through a resolver, or lost.
func (w *world) hop(resolver int) time.Duration {
	switch {
	case w.noQuorum || w.resolverDown[resolver] > 0 || w.lossy && w.rng.IntN(4) == 0:
		return lost
	case w.lossy && w.rng.IntN(3) == 0:
		return w.upTo(2 * w.cfg.Params.RequestTimeout)
	}
	return w.trip() / 2
}

func (w *world) carry(q *question, resolver int) {
	if d := w.hop(resolver); d != lost {
		w.schedule(happening{at: w.now.Add(d), kind: brought, load: q, id: uint64(resolver)})
	}
}

// bring is a question that has reached the region that it asks.
func (w *world) bring(q *question, resolver int) {
	r := q.to
	switch {
	case !r.up || r.cutAsked > 0:
	case q.told == r.life && q.reply != nil:
		w.back(q, resolver, *q.reply)
	case q.told == r.life:
		q.waiting = append(q.waiting, resolver)
	default:
		q.told, q.reply, q.waiting = r.life, nil, []int{resolver}
		r.asked[q.id] = q
		r.deliver(lease.Asked{ID: q.id, From: q.from.params.Region, Question: q.ask.Question})
	}
}

// reply answers a question, through all resolvers that wait for it.
func (r *region) reply(a lease.Reply) {
	q := r.asked[a.ID]
	delete(r.asked, a.ID)
	if q == nil {
		return // asked of an earlier life
	}
	q.reply = &a.Answer
	for _, resolver := range q.waiting {
		r.w.back(q, resolver, a.Answer)
	}
	q.waiting = nil
}

func (w *world) back(q *question, resolver int, a lease.Answer) {
	if d := w.hop(resolver); d != lost {
		w.schedule(happening{at: w.now.Add(d), kind: ballot, load: vote{q, a}, id: uint64(resolver)})
	}
}

// vote is an answer as one resolver brings it.
type vote struct {
	q      *question
	answer lease.Answer
}

// forge is what a resolver does that has got hold of a region's key: it says
// what suits the asker.
func (w *world) forge(q *question) {
	a := lease.Answer{State: lease.Standby, Granted: true, Safety: q.ask.Question.Safety}
	w.schedule(happening{at: w.now.Add(w.trip()), kind: ballot, load: vote{q, a}, id: uint64(w.forger)})
}

// vote counts what has come for a question, and tells the asker once.
func (w *world) vote(h happening) {
	if q, ok := h.load.(*question); ok {
		if q.from.life == q.life && !q.reached {
			q.reached = true
			q.from.deliver(lease.Answered{ID: q.ask.ID, From: q.to.params.Region, CutOff: q.from.cutAsking > 0 && w.rng.IntN(2) == 0})
		}
		return
	}
	v := h.load.(vote)
	q := v.q
	if q.from.life != q.life || q.from.cutAsking > 0 || q.ballots[h.id].Outcome == quorum.Agreed {
		return // the first answer of a resolver is the one that counts
	}
	q.ballots[h.id] = quorum.Ballot{Outcome: quorum.Agreed, Answer: quorum.Answer{Answer: v.answer}}
	q.came++
	if q.reached || q.came < w.required {
		return
	}
	if w.required == 1 {
		q.reached = true // what quorum.Count would refuse
	} else if verdict := quorum.Count(w.required, q.ballots); verdict.Reached {
		q.reached, v.answer = true, verdict.Answer.Answer
	}
	if q.reached {
		q.from.deliver(lease.Answered{ID: q.ask.ID, From: q.to.params.Region, Reached: true, Answer: v.answer})
	}
}
