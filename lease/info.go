package lease

import (
	"slices"
	"strings"
)

// writeInfo tells the others of this region, at the start and then now and
// again (§3, first start).
func (s *State) writeInfo() {
	if s.info.order != 0 || s.now < s.info.next {
		return
	}
	s.info.order, s.info.by = s.newID(), s.now.Add(s.p.RequestTimeout)
	s.act(WriteInfo{ID: s.info.order, Deadline: s.info.by, Info: Info{Safety: s.safety, Version: s.version}})
}

func (s *State) infoWritten(ev InfoWritten) {
	switch {
	case ev.ID != s.info.order || s.info.order == 0:
	case ev.Acked:
		s.info.order, s.info.next = 0, s.now.Add(infoInterval)
	default:
		s.infoFailed()
	}
}

func (s *State) infoFailed() {
	s.info.order, s.info.next = 0, s.now.Add(s.p.RetryInterval)
}

// absorbInfo takes the read of another region's info record in.
func (s *State) absorbInfo(j int, read InfoRead) {
	p, region := &s.peers[j], s.p.Members[j]
	switch read.Outcome {
	case ReadMalformed:
		s.alarm(NoticeMalformed, region, "info record")
	case ReadFound:
		p.known = true
		p.differs = SafetyDiff(s.safety, read.Info.Safety)
		s.clear(NoticeSafetyDiffers, region)
		if len(p.differs) > 0 {
			s.alarm(NoticeSafetyDiffers, region, strings.Join(p.differs, ", "))
		}
	}
}

// allKnown reports whether every member's info record has been seen.
func (s *State) allKnown() bool {
	return !slices.ContainsFunc(s.peers, func(p peer) bool { return !p.known })
}
