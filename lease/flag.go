package lease

import (
	"slices"
	"time"
)

// ownFlag is the own register at one witness: the write in flight, and which writes are known
// to have been acknowledged.
type ownFlag struct {
	seq     uint64 // of the last attempt there
	round   uint64 // counts candidacies and resumptions: a chain of writes
	inSeq   uint64 // the attempt in flight; 0 if none
	inID    ActionID
	inSent  Instant
	inBeat  uint64 // of the shared record, that was known to be written then (§5)
	inState FlagState
	inRound uint64
	next    Instant // no write before this
	last    Instant // sending of the last attempt
	wrote   bool    // there was one
	failing bool    // the last one whose outcome is known was lost

	raised   bool    // in this chain a write has been acknowledged
	firstAck Instant // ... for the first time
	until    Instant // sending of the last acknowledged one + TTL; -Never if there is none
	beat     uint64  // of the shared record, that was known to be written at that sending
	active   Instant // until, if that one says "active", or the last such; -Never if there is none

	acks []ack    // acknowledged writes, oldest first; older ones than the staleness bound are dropped, but one
	lost []uint64 // attempts whose outcome is unknown, the last ones
}

// An ack is an acknowledged write of the own flag.
type ack struct {
	seq uint64
	at  Instant
}

const rememberLost = 64

// begin starts a chain of writes.
func (f *ownFlag) begin(now Instant, retry time.Duration) {
	f.round++
	f.raised, f.failing, f.until, f.active = false, false, -Never, -Never
	f.next = now
	if f.wrote {
		f.next = max(now, f.last.Add(retry))
	}
}

// writing reports whether the region's flag is to be kept raised.
func (s *State) writing() bool {
	return s.name == Candidate || s.authority && !s.abandon
}

// beginFlag starts a chain of writes at every witness.
func (s *State) beginFlag() {
	for i := range s.witnesses {
		s.witnesses[i].own.begin(s.now, s.p.RetryInterval)
	}
}

// endFlag stops it: silence.
func (s *State) endFlag() {
	for i := range s.witnesses {
		s.witnesses[i].own.raised = false
	}
}

// writeFlag sends the write to a witness that is due. One attempt is in flight there at a time.
func (s *State) writeFlag(w *witness) {
	f := &w.own
	if !s.writing() || f.inSeq != 0 || s.now < f.next {
		return
	}
	state := FlagCandidate
	if s.authority {
		state = FlagActive
	}
	if s.obeys(RuleNewWriteID) || !f.wrote || len(f.lost) == 0 || f.lost[len(f.lost)-1] != f.seq {
		s.seq++
		f.seq = s.seq
	}
	f.inSeq, f.inID, f.inSent, f.inState, f.inRound = f.seq, s.newID(), s.now, state, f.round
	f.inBeat = s.term.record.Beat
	f.last, f.wrote = s.now, true
	s.act(WriteFlag{
		ID:       f.inID,
		Witness:  w.number,
		Deadline: s.now.Add(s.p.RequestTimeout),
		Flag:     Flag{State: state, Epoch: s.epoch, WriteID: NewWriteID(s.incarnation, f.seq), Term: s.term.held},
	})
}

// expireWrite gives a write up whose answer has not come within
// request_timeout: "timed out" is "unknown" (§1, §2).
func (s *State) expireWrite(w *witness) {
	f := &w.own
	if f.inSeq != 0 && s.now > f.inSent.Add(s.p.RequestTimeout) {
		s.writeLost(w)
	}
}

// writeLost notes that the attempt in flight may land at any later time.
func (s *State) writeLost(w *witness) {
	f := &w.own
	if len(f.lost) == rememberLost {
		f.lost = append(f.lost[:0], f.lost[1:]...)
	}
	f.lost = append(f.lost, f.inSeq)
	f.inSeq, f.failing = 0, true
	f.next = max(f.last.Add(s.p.RetryInterval), s.now)
	s.alarmAt(w, NoticeWitnessDown, s.p.Region, "writing the own flag")
	if !s.writing() {
		s.probe(w)
	}
}

func (s *State) flagWritten(ev FlagWritten) {
	i := slices.IndexFunc(s.witnesses, func(w witness) bool { return w.own.inSeq != 0 && w.own.inID == ev.ID })
	if i < 0 {
		return // an answer that came late: of no use (§2)
	}
	w := &s.witnesses[i]
	f := &w.own
	if !ev.Acked {
		s.writeLost(w)
		return
	}
	s.clearAt(w, NoticeWitnessDown, s.p.Region)
	f.acks = append(f.acks, ack{f.inSeq, s.now})
	own := &s.peers[s.self] // what it has hidden of another instance was written before now (§5)
	own.evidence = s.now
	own.seen.add(NewWriteID(s.incarnation, f.inSeq))
	f.inSeq, f.failing = 0, false
	if f.inRound != f.round {
		return // of a candidacy that has ended: the next write is due as begin said
	}
	f.next = f.inSent.Add(s.p.RenewInterval)
	if !f.raised {
		f.raised, f.firstAck = true, s.now
	}
	f.until, f.beat = f.inSent.Add(s.p.TTL), f.inBeat
	switch {
	case f.inState == FlagActive:
		f.active = f.until
		if until, by := s.lasts(func(w *witness) Instant { return w.own.active }); until > s.now {
			s.endFencedWords()
			s.extend(until.Add(-s.p.TTL), by.own.beat)
		}
	case s.authority:
		f.next = f.last.Add(s.p.RetryInterval) // say "active" soon
	}
}

// floor is the write that a read sent now must return, or a newer one: the last
// one there that was acknowledged longer(Δ) before (§3, take). Zero if there is none.
func (s *State) floor(w *witness) ack {
	f := &w.own
	var floor ack
	for len(f.acks) > 0 && f.acks[0].at.Add(s.longer(w.staleness)) <= s.now {
		floor = f.acks[0]
		if len(f.acks) == 1 || f.acks[1].at.Add(s.longer(w.staleness)) > s.now {
			break
		}
		f.acks = f.acks[1:]
	}
	return floor
}
