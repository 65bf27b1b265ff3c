package check

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// regionFindings are each way to a region, what it says, and its clock.
func (l *live) regionFindings(r region) []Finding {
	if r.err != nil {
		return []Finding{{Level: Problem, Asked: "state of " + string(r.name), Region: r.name, Got: "it can't be asked: " + r.err.Error()}}
	}
	var out []Finding
	for _, w := range r.ways {
		out = append(out, l.wayFinding(r, w))
	}
	out = append(out, l.state(r))
	if clock, known := r.clock(); known && r.name != l.Params.Region {
		out = append(out, l.clockFinding(r.name, clock))
	}
	return out
}

// state judges what a region says of itself.
func (l *live) state(r region) Finding {
	f := Finding{Level: OK, Asked: "state of " + string(r.name), Region: r.name}
	a := r.verdict.Answer
	if !r.verdict.Reached {
		f.Level, f.Got, f.Remedy = Problem, "unknown: "+r.verdict.Describe(), "see the lines above"
		return f
	}
	f.Got = string(a.State)
	switch {
	case a.Authority:
		f.Got += fmt.Sprintf(", authority for epoch %d, for %v more unless it is renewed", a.Epoch, a.Remaining.Round(100*time.Millisecond))
	case a.Epoch > 0:
		f.Got += fmt.Sprintf(", the highest epoch is %d", a.Epoch)
	}
	switch own := lease.SafetyHash(l.Params.Safety()); {
	case a.Safety != own:
		f.Level = Problem
		f.Got += fmt.Sprintf(", with other safety parameters: their digest is %s, here %s", a.Safety, own)
		f.Remedy = "compare what failoverd check prints there and here; a change needs a restart"
	case a.Why == lease.GateLayersFenced:
		f.Level, f.Got, f.Remedy = Warning, f.Got+", its layers are not known to be fenced", lease.ReasonOf(lease.GateLayersFenced).Remedy
	}
	return f
}

// authority judges who says that it is active.
func (l *live) authority(ctx context.Context, regions []region) Finding {
	f := Finding{Level: OK, Asked: "authority"}
	held, unknown := holders(regions)
	if len(held) > 1 {
		// They were asked at different moments: one may have handed over to the other.
		again := make([]region, len(regions))
		var all sync.WaitGroup
		for i, r := range regions {
			all.Go(func() {
				again[i].name = r.name
				again[i].verdict, again[i].err = l.ask(ctx, r.name)
			})
		}
		all.Wait()
		held, unknown = holders(again)
	}
	switch {
	case len(held) > 1:
		why := lease.ReasonOf(lease.ReasonSplitBrain)
		f.Level, f.Got, f.Remedy = Problem, "more than one region holds it: "+strings.Join(held, ", "), "stop the daemon of all but one at once; "+why.Remedy
	case len(held) == 1:
		f.Got = held[0]
	case unknown > 0:
		f.Level, f.Got, f.Remedy = Warning, "no region that answers holds it", "see the lines above, and failoverd explain"
	default:
		f.Level, f.Got, f.Remedy = Warning, "no region holds it", "see failoverd explain, in each region"
	}
	return f
}

// holders names the regions that say that they hold authority, and counts those that say nothing.
func holders(regions []region) (out []string, unknown int) {
	for _, r := range regions {
		switch a := r.verdict.Answer; {
		case !r.verdict.Reached:
			unknown++
		case a.Authority:
			out = append(out, fmt.Sprintf("%s, epoch %d", r.name, a.Epoch))
		}
	}
	return out, unknown
}
