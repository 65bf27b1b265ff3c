package lease

import (
	"slices"
	"time"
)

// reader is the reading of all flags at one witness, in rounds.
type reader struct {
	inFlight []round
	nextPoll Instant
	nextInfo Instant
	lastSent Instant // of the newest round
	wrote    bool    // there was one

	complete  Instant // sending of the newest round that returned every other region's flag; Never if none did
	ownFresh  bool    // it returned the own flag too, within the bound
	answered  Instant // when its answer came
	ownRead   Instant // sending of the newest round that returned the own flag
	staleness time.Duration
}

// A round is one in flight. Its times are those of its sending.
type round struct {
	id    ActionID
	sent  Instant
	by    Instant
	floor ack // the own write that it must return, or a newer one
}

func (r *reader) init() { r.complete = Never }

// expire forgets rounds whose answers are late, and reports whether there were
// any. A late answer is evidence still, but nobody takes by it.
func (r *reader) expire(now Instant) (late bool) {
	for len(r.inFlight) > 0 && now > r.inFlight[0].by {
		r.inFlight, late = r.inFlight[1:], true
	}
	return late
}

// read sends the round to a witness that is due: a poll, or the read that a suspect or a
// candidate waits for, at the very moment at which its waits are over (§3,
// take).
func (s *State) read(w *witness) {
	r := &w.reader
	poll := s.now >= r.nextPoll && len(r.inFlight) == 0
	due := s.readDue(w)
	wanted := s.now >= due && r.lastSent < due && s.obeys(RuleReadWhenDue)
	if r.wrote && !poll && !wanted {
		return
	}
	infos := wanted || s.now >= r.nextInfo
	if infos {
		every := s.p.TTL
		if !s.allKnown(w) {
			every = s.p.RenewInterval
		}
		r.nextInfo = s.now.Add(every)
	}
	next := round{id: s.newID(), sent: s.now, by: s.now.Add(s.p.RequestTimeout), floor: s.floor(w)}
	r.inFlight = append(r.inFlight, next)
	r.lastSent, r.wrote = s.now, true
	r.nextPoll = s.now.Add(s.p.PollInterval)
	if s.name == Active {
		r.nextPoll = s.now.Add(s.p.RenewInterval) // only to see what must not be
	}
	s.act(ReadRound{ID: next.id, Witness: w.number, Deadline: next.by, Infos: infos})
}

// readDue is when the read of a witness is to be sent that a suspect or candidate acts on;
// Never for the others.
func (s *State) readDue(w *witness) Instant {
	switch {
	case s.name == Standby:
		return s.suspectAt()
	case s.name == Candidate && s.raised():
		return s.takeAt(w)
	}
	return Never
}

func (s *State) roundRead(ev RoundRead) {
	if len(ev.Flags) != len(s.peers) || ev.Infos != nil && len(ev.Infos) != len(s.peers) {
		s.illegal("a round that does not have one entry per member")
		return
	}
	if ev.Witness < 0 || ev.Witness >= len(s.witnesses) {
		s.illegal("a round of a witness that there is not")
		return
	}
	w := &s.witnesses[ev.Witness]
	r := &w.reader
	i := slices.IndexFunc(r.inFlight, func(r round) bool { return r.id == ev.ID })
	for j, read := range ev.Flags {
		if j != s.self {
			s.absorb(w, j, read)
		} else if s.absorbOwn(read); s.follows() {
			return
		}
	}
	for j, read := range ev.Infos {
		if j != s.self {
			s.absorbInfo(w, j, read)
		}
	}
	if i < 0 {
		return // came late
	}
	s.clearAt(w, NoticeWitnessDown, "")
	this := r.inFlight[i]
	r.inFlight = slices.Delete(r.inFlight, i, i+1)
	fresh := s.readBack(w, this, ev.Flags[s.self])
	complete := true
	for j, read := range ev.Flags {
		if j != s.self && read.Outcome == ReadUnknown {
			complete = false
			s.alarmAt(w, NoticeWitnessDown, s.p.Members[j], "reading its flag")
		} else if j != s.self {
			s.clearAt(w, NoticeWitnessDown, s.p.Members[j])
		}
	}
	sent := this.sent
	if !s.obeys(RuleReadFromSending) {
		sent = s.now
	}
	if (complete || !s.obeys(RuleCompleteRound)) && (r.complete == Never || sent >= r.complete) {
		r.complete, r.ownFresh, r.answered = sent, fresh, s.now
	}
}

// absorbOwn takes the read of the own flag in, which another instance of the region may have
// written: one that was elected after this one, or one before it that is still alive (§5). A
// record of this instance's own counts too when it is first seen: it may have landed late, on
// top of the other's.
func (s *State) absorbOwn(read FlagRead) {
	if !s.shared() || s.follows() || read.Outcome != ReadFound && read.Outcome != ReadMalformed {
		return
	}
	own := read.Flag.WriteID.Incarnation() == s.incarnation
	if p := &s.peers[s.self]; p.seen.add(read.Flag.WriteID) && (!own || s.obeys(RuleOwnRecord)) {
		p.evidence = s.now
	}
	if read.Outcome == ReadFound && read.Flag.Term > s.term.held {
		s.term.floor = read.Flag.Term
		s.follow(ReasonSuperseded)
	}
}

// absorb takes the read of another region's flag in. A record that was never
// seen is evidence that the region lives: whatever its state, whatever its
// order, for a late, old record may hide newer ones (§3). A missing one says
// nothing.
func (s *State) absorb(w *witness, j int, read FlagRead) {
	p := &s.peers[j]
	if read.Outcome == ReadMissing && !s.obeys(RuleMissingIsNotFree) {
		p.evidence = -Never
	}
	if read.Outcome != ReadFound && read.Outcome != ReadMalformed {
		return
	}
	malformed := read.Outcome == ReadMalformed
	if malformed && !s.obeys(RuleMalformedIsEvidence) {
		return
	}
	p.badFlag.set(w, malformed)
	s.reportMalformed(j)
	id := read.Flag.WriteID
	if !s.obeys(RuleEveryNewRecord) && p.seen.older(id) {
		return
	}
	if !p.seen.add(id) {
		return
	}
	if read.Flag.State == flagWithdrawn && !s.obeys(RuleSilentWithdrawal) { // only a mutant writes it
		p.evidence = s.now.Add(-s.longer(s.p.TTL + s.p.Staleness))
		return
	}
	p.evidence, p.recorded = s.now, s.now
	s.showedLife(j)
	s.clear(NoticeWitnessStale, s.p.Members[j]) // it shows what the veto has said by now
	if !malformed {
		p.state, p.epoch = read.Flag.State, max(p.epoch, read.Flag.Epoch)
		s.sawEpoch(j, read.Flag.Epoch)
		if p.state == FlagActive {
			s.sawActive(j, read.Flag.Epoch)
		}
	}
	living := malformed || p.state == FlagActive
	switch {
	case s.name == Candidate && (living || j < s.self) && s.obeys(RuleYield):
		s.withdraw(ReasonYielded)
	case !malformed && p.state == FlagActive:
		s.otherActive(j, read.Flag.Epoch)
	}
}

// sawActive notes that region j holds, or held, authority for an epoch.
func (s *State) sawActive(j int, epoch uint64) {
	if epoch > s.consent.epoch {
		s.endConsent()
	}
	if epoch > s.holderEpoch {
		s.asker.told = false // somebody else has taken what it was told of
	}
	if epoch >= s.holderEpoch {
		s.holder, s.holderEpoch = j, epoch
	}
}

// otherActive fences this region if it learns that another one is active, and
// is the one to give way: the one of the lower epoch, or the later in the
// member order (§4).
func (s *State) otherActive(j int, epoch uint64) {
	if s.authority && !s.abandon && s.obeys(RuleHigherEpochFences) && (epoch > s.epoch || epoch == s.epoch && j < s.self) {
		s.act(Notice{Reason: ReasonSplitBrain, Region: s.p.Members[j]})
		s.abandonAuthority(ReasonSplitBrain)
	}
}

// reportMalformed says that a record of a region is malformed, until its
// records can be read again.
func (s *State) reportMalformed(j int) {
	p, region := &s.peers[j], s.p.Members[j]
	switch {
	case p.badFlag != 0:
		s.alarm(NoticeMalformed, region, "flag")
	case p.badInfo != 0:
		s.alarm(NoticeMalformed, region, "info record")
	default:
		s.clear(NoticeMalformed, region)
	}
}

// readBack judges the read of the own flag: whether it is within the staleness
// bound, and by how much the witness was staler if not (§3, take).
func (s *State) readBack(w *witness, r round, read FlagRead) bool {
	if read.Outcome != ReadUnknown {
		w.reader.ownRead = max(w.reader.ownRead, r.sent)
	}
	var seq uint64 // the attempt that was returned; 0 for none of this incarnation
	if read.Outcome == ReadFound || read.Outcome == ReadMalformed {
		s.peers[s.self].badFlag.set(w, read.Outcome == ReadMalformed)
		s.reportMalformed(s.self)
	}
	switch read.Outcome {
	case ReadUnknown:
		return false
	case ReadFound:
		if read.Flag.WriteID.Incarnation() == s.incarnation {
			seq = read.Flag.WriteID.Seq()
		} else if read.Flag.Epoch != s.epoch {
			s.sawEpoch(s.self, read.Flag.Epoch) // of an earlier life
		}
	}
	// A write whose answer was lost may have landed late, on top of newer
	// ones, and so may one of an earlier life: what lies there then tells
	// nothing of how stale the read is.
	tells := read.Outcome == ReadMissing || seq != 0 && !slices.Contains(w.own.lost, seq)
	w.reader.staleness = 0
	for _, a := range w.own.acks {
		if tells && a.seq > seq && a.at < r.sent {
			w.reader.staleness = r.sent.Sub(a.at) // at least: that write was not to be seen
			break
		}
	}
	if seq >= r.floor.seq {
		s.clearAt(w, NoticeWitnessStale, s.p.Region)
		return true
	}
	if tells {
		s.alarmAt(w, NoticeWitnessStale, s.p.Region, "a read returned a record older than one acknowledged "+w.reader.staleness.Round(time.Millisecond).String()+" before it was sent, the bound is "+w.staleness.String())
	}
	return false
}
