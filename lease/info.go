package lease

import (
	"cmp"
	"slices"
	"strings"
)

// writeInfo tells the others of this region, at the start and then now and
// again (§3, first start).
func (s *State) writeInfo() {
	if s.info.order != 0 || s.now < s.infoDue() {
		return
	}
	s.info.order, s.info.by, s.info.changed = s.newID(), s.now.Add(s.p.RequestTimeout), false
	s.info.paused = s.paused()
	s.info.notBefore = s.now.Add(s.p.RetryInterval)
	s.act(WriteInfo{ID: s.info.order, Deadline: s.info.by, Info: Info{Safety: s.safety, Version: s.version, Degraded: s.health.causes, Behind: s.health.behind, Mode: s.p.Mode, Paused: s.paused()}})
}

// infoDue is when the own info record is to be written next: soon when it is not true any
// more, but no more often than a store takes it.
func (s *State) infoDue() Instant {
	if s.info.changed || s.info.paused != s.paused() {
		return min(s.info.next, s.info.notBefore)
	}
	return s.info.next
}

func (s *State) infoWritten(ev InfoWritten) {
	switch {
	case ev.ID != s.info.order || s.info.order == 0:
	case ev.Acked:
		s.info.order, s.info.next = 0, s.now.Add(infoInterval)
		s.clear(NoticeWitnessDown, s.p.Region)
	default:
		s.infoFailed()
	}
}

func (s *State) infoFailed() {
	s.info.order, s.info.next = 0, s.now.Add(s.p.RetryInterval)
	s.alarm(NoticeWitnessDown, s.p.Region, "writing the own info record")
}

// probe has the info record written now if the last writes failed. A region
// that is silent can't tell in another way that writing works again, nor that
// it still does not.
func (s *State) probe() {
	if s.alarmed(NoticeWitnessDown, s.p.Region) {
		s.info.next = s.now
	}
}

// absorbInfo takes the read of another region's info record in.
func (s *State) absorbInfo(j int, read InfoRead) {
	p, region := &s.peers[j], s.p.Members[j]
	if read.Outcome == ReadFound || read.Outcome == ReadMalformed {
		p.badInfo = read.Outcome == ReadMalformed
		s.reportMalformed(j)
	}
	if read.Outcome != ReadFound {
		return
	}
	p.known, p.degraded, p.behind = true, read.Info.Degraded, read.Info.Behind
	p.mode, p.paused = cmp.Or(read.Info.Mode, ModeAutomatic), read.Info.Paused
	differs := SafetyDiff(s.safety, read.Info.Safety)
	if !slices.Equal(differs, p.differs) {
		s.clear(NoticeSafetyDiffers, region)
	}
	p.differs = differs
	if len(differs) > 0 {
		s.alarm(NoticeSafetyDiffers, region, strings.Join(differs, ", "))
	}
}

// allKnown reports whether every member's info record has been seen.
func (s *State) allKnown() bool {
	return !slices.ContainsFunc(s.peers, func(p peer) bool { return !p.known })
}
