package statedir

import (
	"fmt"
	"time"

	"github.com/openova-io/failoverd/agent/gap"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// An Episode is a transition with all that came of it.
type Episode struct {
	Entry
	Layers []LayerChange `json:"layers,omitempty"`
}

// A LayerChange is that a layer became what the state has it be.
type LayerChange struct {
	Layer   string            `json:"layer"`
	Action  layers.Action     `json:"action"`
	Seconds float64           `json:"seconds"`           // since the transition
	Data    []layers.Position `json:"data,omitempty"`    // how far its data had come: of the objects that lacked most
	Objects int               `json:"objects,omitempty"` // that it bears; the journal has the position of each
}

// A Detail is something that came of a transition later.
type Detail struct {
	Time  time.Time    `json:"time"`            // wall clock
	Layer *LayerChange `json:"layer,omitempty"` // of the newest transition
	Gap   *gap.Gap     `json:"gap,omitempty"`   // of the newest from active, whose end is known now
}

// add adds a detail to the episode that it is of. One whose episode is not there any more is left out.
func (of Detail) add(all []Episode) {
	for i := len(all) - 1; i >= 0; i-- {
		switch e := &all[i]; {
		case of.Layer != nil:
			e.Layers = append(e.Layers, *of.Layer)
			return
		case of.Gap != nil && e.From == lease.Active:
			e.Gap = of.Gap
			return
		}
	}
}

// ServiceGap is how long no region can have served, at most, in seconds: since the gap that the transition ended had
// begun, until the last layer was active; ok is false where that is not known.
func (e Episode) ServiceGap() (seconds float64, ok bool) {
	if e.To != lease.Active || e.Gap == nil || e.Gap.AtMost == nil || len(e.Layers) == 0 {
		return 0, false
	}
	for _, l := range e.Layers {
		seconds = max(seconds, *e.Gap.AtMost+l.Seconds)
	}
	return seconds, true
}

// Details says what came of it, for people, in a line each.
func (e Episode) Details() (lines []string) {
	add := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if e.By != nil {
		what := e.By.Verb
		if e.By.Region != "" {
			what = fmt.Sprintf("%s (%s)", e.By.Verb, e.By.Region)
		}
		add("%s by %s: %s", what, e.By.User, e.By.Reason)
	}
	if e.Gap != nil {
		add("gap: %s", e.Gap.Text(e.Region))
	}
	for _, l := range e.Layers {
		add("%s %s: after %.2f s", l.Action, l.Layer, l.Seconds)
		for _, p := range l.Data {
			add("data: %s", p)
		}
		if more := l.Objects - len(l.Data); more > 0 {
			add("data: %d more, none of which lacked more; the journal has them", more)
		}
	}
	if seconds, ok := e.ServiceGap(); ok {
		add("out of service for at most %.2f s, until the last layer was active", seconds)
	}
	return lines
}
