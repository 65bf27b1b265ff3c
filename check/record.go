package check

import (
	"fmt"
	"strings"

	"github.com/openova-io/failoverd/lease"
)

// infoRecord judges the info record of a member.
func (l *live) infoRecord(m lease.Region, read lease.InfoRead, err error) Finding {
	f := Finding{Level: OK, Asked: "info record of " + string(m), Region: m}
	own := m == l.Params.Region
	switch {
	case err != nil:
		return witnessFault(f.Asked, m, err)
	case read.Outcome == lease.ReadMissing && own:
		f.Level, f.Got, f.Remedy = Warning, "none: no agent of this region has written to this witness yet", "start it: failoverd run"
		return f
	case read.Outcome == lease.ReadMissing:
		f.Level, f.Got, f.Remedy = Problem, "none", lease.ReasonOf(lease.GatePeersKnown).Remedy
		return f
	}
	differs := l.differs(read.Info.Safety)
	f.Got = "of failoverd " + read.Info.Version
	switch {
	case len(differs) == 0:
		f.Got += ", with the same safety parameters"
	case own:
		f.Level = Warning
		f.Got += ", which ran with other safety parameters than this file: " + strings.Join(differs, "; ")
		f.Remedy = "restart the daemon if the file is right: only a start takes these on"
	default:
		f.Level = Problem
		f.Got += ", with other safety parameters: " + strings.Join(differs, "; ")
		f.Remedy = lease.ReasonOf(lease.GateSameSafety).Remedy
	}
	return f
}

// differs says which safety parameters are not those of this configuration.
func (l *live) differs(theirs map[string]string) []string {
	ours := l.Params.Safety()
	var out []string
	for _, name := range lease.SafetyDiff(ours, theirs) {
		out = append(out, fmt.Sprintf("%s is %s, here %s", name, orNone(theirs[name]), orNone(ours[name])))
	}
	return out
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// flag tells of the flag of a member. It stays after its region is gone, so it is never a problem
// that there is one.
func flag(m lease.Region, read lease.FlagRead, err error) Finding {
	f := Finding{Level: OK, Asked: "flag of " + string(m), Region: m}
	switch {
	case err != nil:
		return witnessFault(f.Asked, m, err)
	case read.Outcome == lease.ReadMissing:
		f.Got = "none"
	default:
		f.Got = fmt.Sprintf("%s, epoch %d, of unknown age", read.Flag.State, read.Flag.Epoch)
	}
	return f
}
