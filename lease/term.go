package lease

import (
	"slices"
	"time"
)

// A TermRecord is what the instances of a region share: which of them acts for it (§5). It is
// in a register of their own cluster, linearizable and with compare-and-swap, such as a
// Kubernetes Lease. Terms and beats only grow, so the two name one record.
type TermRecord struct {
	Holder   string        // the instance that acts; empty: it has stopped, and another may at once
	Term     uint64        // grows with each change of the holder
	Beat     uint64        // grows by one with each write
	Duration time.Duration // the holder is not replaced for that long after a beat
	MayHold  []string      // instances that acted before, and are not known to have stopped: they may hold authority yet
	Base     TermBase
	Pause    time.Duration // what was left of an operator's, when the record was written
	Epoch    uint64        // the highest that any instance has held or pledged to; never falls
}

// Same reports whether two records are the same. Terms and beats name one, but not across a removal.
func (r TermRecord) Same(o TermRecord) bool {
	return r.Holder == o.Holder && r.Term == o.Term && r.Beat == o.Beat && r.Duration == o.Duration && r.Base == o.Base && r.Epoch == o.Epoch && r.Pause == o.Pause && slices.Equal(r.MayHold, o.MayHold)
}

// A TermBase is the region's authority, as an heir can prove it: it is for Epoch, and its last
// base was sent after the holder knew that beat After was written. The zero value is none.
type TermBase struct {
	Epoch  uint64
	After  uint64
	Safety string // SafetyHash of the parameters that the authority is held with
}

// termState is what an instance knows of its region's term. The zero value is that of a region
// of one instance.
type termState struct {
	held  uint64  // the term that it acts under; 0: it follows
	until Instant // no other instance can have been elected before
	alone bool    // no other instance can hold authority for the region

	floor    uint64     // the highest in the region's own flag: the next term is above it
	record   TermRecord // the newest that was read or written; the zero value if there is none
	known    bool       // it has been read
	changed  Instant    // when it was first seen as it is
	readings []termReading
	base     TermBase // of the authority that stands, or that is kept
	onRecord Instant  // an heir may prove authority up to here; 0 if surely none

	op      ActionID // in flight; 0 if none
	opSent  Instant
	writes  *TermRecord // what it writes; nil if it reads
	doubt   bool        // a write failed, or its outcome is not known: read first
	next    Instant
	resigns bool      // the next write says that it has stopped
	kept    Authority // that it held when it left its term, or found on disk before it stops, as far as it knows nobody else's yet
	fenced  bool      // the layers were told to fence, since that ends
	backAt  Instant   // it takes its term back if no other instance has by then; 0 if it has not resigned, or the record was removed since
}

// A termReading is a read of the record.
type termReading struct {
	sent Instant
	beat uint64
}

// follows reports whether another instance acts for the region, or none does yet.
func (s *State) follows() bool { return s.name == Follower }

// shared reports whether the region may have more instances than this one.
func (s *State) shared() bool { return s.p.Instance != "" }

// confirmed reports whether this instance knows that it alone acts for the region. One that
// does not goes on with the authority that it holds, since it could not fence, and does
// nothing else (§5).
func (s *State) confirmed() bool {
	return !s.shared() || s.term.held > 0 && s.now < s.term.until || !s.obeys(RuleTermConfirmed)
}

// aloneAt is when no other instance can hold authority for this region any more, though none has
// said that it has stopped: longer(TTL+Δ) after the last sign that one lives, absorbOwn. The own
// flag must then be read from the witness (§5).
func (s *State) aloneAt(w *witness) Instant {
	return s.peers[s.self].evidence.Add(s.longer(s.p.TTL + w.staleness))
}

// alone reports whether no other instance can hold authority for this region.
func (s *State) alone() bool {
	return !s.shared() || s.term.alone || !s.obeys(RuleAloneToGrant)
}

// authorityOnRecord reports whether an heir may yet prove authority that this region has given up.
func (s *State) authorityOnRecord() bool {
	return s.now < s.term.onRecord && s.obeys(RuleRecordCleared)
}

// termOperation is how long a read or a write of the record may take.
func (s *State) termOperation() time.Duration { return s.p.TermDuration / 2 }

// beatInterval is the time between two writes of the holder, and two reads of a follower.
func (s *State) beatInterval() time.Duration { return s.p.TermDuration / 4 }

// judgeAlone notes when no other instance can hold authority any more, in this term.
func (s *State) judgeAlone() {
	t := &s.term
	t.alone = t.held > 0 && (t.alone || len(t.record.MayHold) == 0 || s.most(func(w *witness) bool { return w.reader.ownRead >= s.aloneAt(w) }))
}

// keepTerm reads or writes the record if that is due.
func (s *State) keepTerm() {
	s.fenceKept()
	t := &s.term
	if !s.shared() || t.op != 0 || s.now < t.next && s.now < s.electAt() && !s.urgent() {
		return
	}
	record, write := s.nextRecord()
	if !write || t.doubt || !t.known {
		t.op, t.opSent, t.writes = s.newID(), s.now, nil
		s.act(ReadTerm{ID: t.op, Deadline: s.now.Add(s.termOperation())})
		return
	}
	if record.Base != (TermBase{}) {
		// An heir proves a little less than this; on its own clock, which may be slower.
		t.onRecord = max(t.onRecord, s.deadline.Add(-s.p.TTL).Add(s.longer(s.p.TTL)))
	}
	t.op, t.opSent, t.writes = s.newID(), s.now, &record
	s.act(WriteTerm{ID: t.op, Deadline: s.now.Add(s.termOperation()), After: t.record, Record: record})
}

// urgent reports whether the holder writes the record at once, rather than with the next beat:
// authority has begun or ended, or an epoch was pledged to, which heirs and grants wait for, or a pause
// has.
func (s *State) urgent() bool {
	t := &s.term
	if t.held == 0 || t.doubt {
		return false
	}
	next, _ := s.nextRecord()
	return next.Base.Epoch != t.record.Base.Epoch || next.Epoch != t.record.Epoch || (next.Pause > 0) != (t.record.Pause > 0)
}

// nextRecord is what this instance writes next, if it has anything to write.
func (s *State) nextRecord() (next TermRecord, write bool) {
	t := &s.term
	next = TermRecord{Holder: s.p.Instance, Term: t.held, Beat: t.record.Beat + 1, Duration: s.p.TermDuration, MayHold: t.record.MayHold, Epoch: t.record.Epoch, Pause: t.record.Pause}
	if t.held > 0 {
		next.Pause = max(0, s.consent.paused.Sub(s.now))
	}
	if s.obeys(RulePledgeOnRecord) {
		next.Epoch = max(next.Epoch, s.saved.epoch)
	}
	mine := func(name string) bool { return name == s.p.Instance }
	switch {
	case t.resigns:
		next.Holder, next.Term, next.Base = "", t.record.Term, t.base
		return next, true
	case t.held > 0:
		if t.alone {
			next.MayHold = nil
		}
		if s.authority && !s.abandon {
			next.Base = t.base
		}
		return next, true
	case s.now < s.electAt():
		// It follows, and so holds nothing: it says so.
		next.Holder, next.Term, next.Base, next.Duration = t.record.Holder, t.record.Term, t.record.Base, t.record.Duration
		next.MayHold = slices.DeleteFunc(slices.Clone(next.MayHold), mine)
		return next, len(next.MayHold) < len(t.record.MayHold)
	case t.record.Holder == s.p.Instance && t.backAt == 0 && t.record.Term >= t.floor: // a restart
		next.Term, next.Base = t.record.Term, t.record.Base
	default:
		next.Term = max(t.record.Term, t.floor) + 1 // a record that was made anew knows of no term before it
		if t.record.Holder != "" && !slices.Contains(next.MayHold, t.record.Holder) {
			next.MayHold = append(slices.Clone(next.MayHold), t.record.Holder)
		}
		next.MayHold = slices.DeleteFunc(slices.Clone(next.MayHold), mine)
		if s.provable() > s.now {
			next.Base = t.record.Base
		}
	}
	return next, true
}

// electAt is when a follower may take the term: at once if nobody holds it, or it did itself
// before a restart, and else when the holder has been silent for long enough (§5).
func (s *State) electAt() Instant {
	t := &s.term
	switch {
	case !s.follows() || !t.known || t.resigns:
		return Never
	case t.backAt != 0: // it has resigned: the others first
		return t.backAt
	case s.stopping && !s.owes():
		return Never
	case t.record.Beat > 0 && (t.record.Holder == "" || t.record.Holder == s.p.Instance):
		return t.changed
	}
	return t.changed.Add(s.longer(max(t.record.Duration, s.p.TermDuration)))
}

// termRead takes the read of the record in.
func (s *State) termRead(ev TermRead) {
	t := &s.term
	if t.op == 0 || ev.ID != t.op {
		return
	}
	t.op = 0
	if ev.Outcome == ReadUnknown {
		t.next = s.now.Add(s.beatInterval())
		s.alarm(NoticeTermUnreachable, "", "")
		return
	}
	s.clear(NoticeTermUnreachable, "")
	t.doubt = false
	if ev.Outcome == ReadMissing { // what it said before is not forgotten
		ev.Record = t.record
		ev.Record.Beat, ev.Record.Base = 0, TermBase{}
	}
	if !t.known || !ev.Record.Same(t.record) {
		if ev.Record.Beat < t.record.Beat {
			t.readings = t.readings[:0] // somebody has removed it: what was read before proves nothing
		}
		t.record, t.known, t.changed = ev.Record, true, s.now
		s.sawEpoch(s.self, max(ev.Record.Epoch, ev.Record.Base.Epoch))
	}
	switch {
	case t.held > 0 && t.record.Beat == 0:
		s.loseRecord()
	case t.held > 0 && (t.record.Holder != s.p.Instance || t.record.Term != t.held):
		s.follow(ReasonSuperseded)
	case t.held > 0:
		t.next = s.now
		s.sendGrants()
	default:
		s.noteReading(t.opSent)
		switch {
		case t.record.Beat == 0: // its word is gone too, and it can't take back what others may have had
			t.backAt, t.resigns = 0, false
		case s.actedSince(t.kept.Term):
			t.kept, t.fenced, t.backAt, t.resigns = Authority{}, false, 0, false
		}
		t.next = t.opSent.Add(s.beatInterval())
		if _, write := s.nextRecord(); write {
			t.next = s.now // by the next read the holder will have beaten again, and it would be refused
		}
	}
}

// termWritten takes the outcome of a write of the record in.
func (s *State) termWritten(ev TermWritten) {
	t := &s.term
	if t.op == 0 || ev.ID != t.op {
		return
	}
	written, sent := t.writes, t.opSent
	t.op, t.writes = 0, nil
	if ev.Outcome != TermAcked {
		t.doubt, t.next = true, s.now
		if ev.Outcome == TermUnknown {
			t.next = s.now.Add(s.beatInterval())
			s.alarm(NoticeTermUnreachable, "", "")
		}
		return
	}
	s.clear(NoticeTermUnreachable, "")
	before := t.record
	t.record, t.changed = *written, s.now
	t.next = sent.Add(s.beatInterval())
	if written.Base == (TermBase{}) {
		t.onRecord = 0
		s.tellSuccessor()
	}
	switch {
	case t.resigns:
		t.resigns = false
	case written.Holder != s.p.Instance: // a follower's word that it holds nothing
	default:
		t.until = sent.Add(s.p.TermDuration)
		if t.held == 0 {
			s.lead(before)
		}
		s.sendGrants()
	}
}

// dueTerm tells when something of the term is due by itself.
func (s *State) dueTerm(due func(Instant)) {
	if !s.shared() {
		return
	}
	t := &s.term
	if t.op != 0 {
		due(t.opSent.Add(s.termOperation()) + 1)
	} else {
		due(t.next)
		due(s.electAt())
	}
	due(t.until)
	due(t.onRecord)
	due(s.fenceKeptAt())
	for i := range s.witnesses {
		due(s.aloneAt(&s.witnesses[i]))
	}
}

// expireTerm gives an operation up whose answer is late: its outcome is not known.
func (s *State) expireTerm() {
	t := &s.term
	if t.op == 0 || s.now <= t.opSent.Add(s.termOperation()) {
		return
	}
	if t.writes != nil {
		s.termWritten(TermWritten{ID: t.op, Outcome: TermUnknown})
	} else {
		s.termRead(TermRead{ID: t.op})
	}
}
