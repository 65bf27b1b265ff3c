package lease

import "time"

// ownFlag is the own register: the write in flight, and which writes are known
// to have been acknowledged.
type ownFlag struct {
	seq     uint64 // of the last attempt of this incarnation
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
	until    Instant // sending of the last acknowledged one + TTL
	beat     uint64  // of the shared record, that was known to be written at that sending

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
	f.raised, f.failing = false, false
	f.next = now
	if f.wrote {
		f.next = max(now, f.last.Add(retry))
	}
}

// end stops it: silence.
func (f *ownFlag) end() { f.raised = false }

// writing reports whether the region's flag is to be kept raised.
func (s *State) writing() bool {
	return s.name == Candidate || s.authority && !s.abandon
}

// writeFlag sends the write that is due. One attempt is in flight at a time.
func (s *State) writeFlag() {
	f := &s.own
	if !s.writing() || f.inSeq != 0 || s.now < f.next {
		return
	}
	state := FlagCandidate
	if s.authority {
		state = FlagActive
	}
	if s.obeys(RuleNewWriteID) || !f.wrote || len(f.lost) == 0 || f.lost[len(f.lost)-1] != f.seq {
		f.seq++
	}
	f.inSeq, f.inID, f.inSent, f.inState, f.inRound = f.seq, s.newID(), s.now, state, f.round
	f.inBeat = s.term.record.Beat
	f.last, f.wrote = s.now, true
	s.act(WriteFlag{
		ID:       f.inID,
		Deadline: s.now.Add(s.p.RequestTimeout),
		Flag:     Flag{State: state, Epoch: s.epoch, WriteID: NewWriteID(s.incarnation, f.seq), Term: s.term.held},
	})
}

// expireWrite gives a write up whose answer has not come within
// request_timeout: "timed out" is "unknown" (§1, §2).
func (s *State) expireWrite() {
	f := &s.own
	if f.inSeq != 0 && s.now > f.inSent.Add(s.p.RequestTimeout) {
		s.writeLost()
	}
}

// writeLost notes that the attempt in flight may land at any later time.
func (s *State) writeLost() {
	f := &s.own
	if len(f.lost) == rememberLost {
		f.lost = append(f.lost[:0], f.lost[1:]...)
	}
	f.lost = append(f.lost, f.inSeq)
	f.inSeq, f.failing = 0, true
	f.next = max(f.last.Add(s.p.RetryInterval), s.now)
	s.alarm(NoticeWitnessDown, s.p.Region, "writing the own flag")
	if !s.writing() {
		s.probe()
	}
}

func (s *State) flagWritten(ev FlagWritten) {
	f := &s.own
	if f.inSeq == 0 || ev.ID != f.inID {
		return // an answer that came late: of no use (§2)
	}
	if !ev.Acked {
		s.writeLost()
		return
	}
	s.clear(NoticeWitnessDown, s.p.Region)
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
		s.endFencedWords()
		s.extend(f.inSent, f.inBeat)
	case s.authority:
		f.next = f.last.Add(s.p.RetryInterval) // say "active" soon
	}
}

// floor is the write that a read sent now must return, or a newer one: the last
// one that was acknowledged longer(Δ) before (§3, take). Zero if there is none.
func (s *State) floor() ack {
	f := &s.own
	var floor ack
	for len(f.acks) > 0 && f.acks[0].at.Add(s.longer(s.p.Staleness)) <= s.now {
		floor = f.acks[0]
		if len(f.acks) == 1 || f.acks[1].at.Add(s.longer(s.p.Staleness)) > s.now {
			break
		}
		f.acks = f.acks[1:]
	}
	return floor
}
