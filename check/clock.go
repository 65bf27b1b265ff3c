package check

import (
	"fmt"
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// clockError is how much larger the difference of two clocks may be than is seen.
const clockError = 2 * time.Second

// ahead is by how much at least a clock was ahead of this one, if it showed so many seconds at some
// time between sent and answered.
func ahead(seconds uint32, sent, answered time.Time) time.Duration {
	shown := time.Unix(int64(seconds), 0)
	switch {
	case shown.After(answered):
		return shown.Sub(answered)
	case shown.Add(time.Second).Before(sent):
		return shown.Add(time.Second).Sub(sent)
	}
	return 0
}

// clock is by how much at least a region's wall clock is ahead of this one's: the median of what
// the resolvers brought, since the serial of an SOA record is not signed.
func (r region) clock() (difference time.Duration, known bool) {
	var all []time.Duration
	for _, w := range r.ways {
		if w.leads.timed {
			all = append(all, w.leads.clock)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	return all[len(all)/2], true
}

// clockFinding compares a region's clock with this one's.
func (l *live) clockFinding(name lease.Region, difference time.Duration) Finding {
	f := Finding{Level: OK, Asked: "clock of " + string(name), Region: name}
	side := "ahead of"
	if difference < 0 {
		side = "behind"
	}
	f.Got = fmt.Sprintf("%v %s this one; questions count within %v", difference.Abs().Round(time.Second), side, l.Window)
	if difference.Abs() < time.Second {
		f.Got = fmt.Sprintf("as this one; questions count within %v", l.Window)
	}
	const remedy = "set the wall clocks of both hosts by NTP"
	switch {
	case difference.Abs() >= l.Window:
		f.Level, f.Remedy = Problem, remedy
	case difference.Abs() >= l.Window/2:
		f.Level, f.Remedy = Warning, remedy
	}
	return f
}
