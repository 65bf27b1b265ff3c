package lease

import (
	"cmp"
	"slices"
	"strings"
)

// writeInfo tells the others of this region by a witness, at the start and then now and
// again (§3, first start).
func (s *State) writeInfo(w *witness) {
	if w.info.order != 0 || s.now < s.infoDue(w) {
		return
	}
	w.info.order, w.info.by, w.info.changed = s.newID(), s.now.Add(s.p.RequestTimeout), false
	w.info.paused = s.paused()
	w.info.notBefore = s.now.Add(s.p.RetryInterval)
	s.act(WriteInfo{ID: w.info.order, Witness: w.number, Deadline: w.info.by, Info: Info{Safety: s.safety, Version: s.version, Degraded: s.health.causes, Behind: s.health.behind, Mode: s.p.Mode, Paused: s.paused()}})
}

// infoDue is when the own info record is to be written next: soon when it is not true any
// more, but no more often than a store takes it.
func (s *State) infoDue(w *witness) Instant {
	if w.info.changed || w.info.paused != s.paused() {
		return min(w.info.next, w.info.notBefore)
	}
	return w.info.next
}

// changeInfo has the own info record written anew.
func (s *State) changeInfo() {
	for i := range s.witnesses {
		s.witnesses[i].info.changed = true
	}
}

func (s *State) infoWritten(ev InfoWritten) {
	i := slices.IndexFunc(s.witnesses, func(w witness) bool { return w.info.order != 0 && w.info.order == ev.ID })
	switch {
	case i < 0:
	case ev.Acked:
		w := &s.witnesses[i]
		w.info.order, w.info.next = 0, s.now.Add(infoInterval)
		s.clearAt(w, NoticeWitnessDown, s.p.Region)
	default:
		s.infoFailed(&s.witnesses[i])
	}
}

func (s *State) infoFailed(w *witness) {
	w.info.order, w.info.next = 0, s.now.Add(s.p.RetryInterval)
	s.alarmAt(w, NoticeWitnessDown, s.p.Region, "writing the own info record")
}

// probe has the info record written now if the last writes failed. A region
// that is silent can't tell in another way that writing works again, nor that
// it still does not.
func (s *State) probe(w *witness) {
	if s.alarmed(NoticeWitnessDown, s.p.Region, w.name) {
		w.info.next = s.now
	}
}

// absorbInfo takes the read of another region's info record in.
func (s *State) absorbInfo(w *witness, j int, read InfoRead) {
	p, region := &s.peers[j], s.p.Members[j]
	if read.Outcome == ReadFound || read.Outcome == ReadMalformed {
		p.badInfo.set(w, read.Outcome == ReadMalformed)
		s.reportMalformed(j)
	}
	if read.Outcome != ReadFound {
		return
	}
	if p.known == ^witnessSet(0) {
		p.known = 0 // it was declared absent, and is not: it is known where it is found
	}
	p.known.set(w, true)
	s.adopt(w, j, read.Info)
	differs := SafetyDiff(s.safety, read.Info.Safety)
	if p.differsAt.set(w, len(differs) > 0); len(differs) == 0 && p.differsAt != 0 {
		return // at another witness, which knows better or does not
	}
	if !slices.Equal(differs, p.differs) {
		s.clear(NoticeSafetyDiffers, region)
	}
	p.differs = differs
	if len(differs) > 0 {
		s.alarm(NoticeSafetyDiffers, region, strings.Join(differs, ", "))
	}
}

// adopt takes over what region j says of itself: from the first of the witnesses that it was read from of late, as
// another may be staler.
func (s *State) adopt(w *witness, j int, info Info) {
	p := &s.peers[j]
	if w.number > p.toldBy && s.now < p.toldAt.Add(2*s.p.TTL) {
		return
	}
	p.toldBy, p.toldAt = w.number, s.now
	p.degraded, p.behind = info.Degraded, info.Behind
	p.mode, p.paused = cmp.Or(info.Mode, ModeAutomatic), info.Paused
}

// agreesAt reports whether its info record at a witness has been seen, and has the own safety parameters.
func (p *peer) agreesAt(w *witness) bool { return p.known.at(w) && !p.differsAt.at(w) }

// agrees reports whether that holds of every member.
func (s *State) agrees(w *witness) bool {
	if !s.obeys(RuleSameSafety) {
		return s.allKnown(w)
	}
	return s.allKnown(w) && !slices.ContainsFunc(s.peers, func(p peer) bool { return p.differsAt.at(w) })
}

// allKnown reports whether every member's info record has been seen at a witness (§3, first start).
func (s *State) allKnown(w *witness) bool {
	return !slices.ContainsFunc(s.peers, func(p peer) bool { return !p.known.at(w) }) || !s.obeys(RulePeersKnown)
}
