package gpu

import (
	"cmp"
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Condition is how a GPU is.
type Condition string

const (
	Healthy   Condition = "healthy"
	Unhealthy Condition = "unhealthy"
	Unknown   Condition = "unknown" // nothing, or nothing recent, is known: no reason to do anything
)

// Conditions are all of them.
var Conditions = []Condition{Healthy, Unhealthy, Unknown}

// A State is the judgement on one GPU.
type State struct {
	Device
	Condition Condition
	Since     lease.Instant // it is in it
	Causes    []CauseState  // why it is Unhealthy; none otherwise
	Reading   Reading       // the last
	Read      lease.Instant // when it was
}

// A CauseState is a cause that holds.
type CauseState struct {
	Cause  Cause
	Since  lease.Instant // the first reading that found it
	Detail string        // of the last reading that found it, for people
}

// Has reports whether the GPU is unhealthy for a cause.
func (s State) Has(c Cause) bool {
	return slices.ContainsFunc(s.Causes, func(held CauseState) bool { return held.Cause == c })
}

// maxDevices is how many GPUs a Monitor keeps when sources tell of ever new ones.
const maxDevices = 512

// A Monitor judges. It is not safe for concurrent use: one goroutine owns it.
type Monitor struct {
	stale   time.Duration
	devices map[string]*device // by UUID
}

type device struct {
	State
	causes []causeTrack // one for each rule
}

// causeTrack is what is known of one cause on one GPU.
type causeTrack struct {
	held      bool          // it is a cause
	since     lease.Instant // the first reading of those that made it one
	doubtful  bool          // it was one when it was lost sight of
	looked    lease.Instant // the last reading that could tell; Never for none
	illSince  lease.Instant // readings on end have found it ill since; Never if the last did not
	wellSince lease.Instant // likewise
	detail    string
}

// NewMonitor returns a monitor that knows nothing yet. What was not read for stale is not
// known any more.
func NewMonitor(stale time.Duration) *Monitor {
	return &Monitor{stale: stale, devices: map[string]*device{}}
}

// Read takes in what a source has read at now: all GPUs that it has, each once.
func (m *Monitor) Read(now lease.Instant, readings []Reading) {
	for _, r := range readings {
		d := m.devices[r.UUID]
		if d == nil {
			d = &device{State: State{Condition: Unknown, Since: now}, causes: make([]causeTrack, len(rules))}
			for i := range d.causes {
				d.causes[i] = causeTrack{looked: lease.Never, illSince: lease.Never, wellSince: lease.Never}
			}
			m.devices[r.UUID] = d
		}
		d.Device, d.Reading, d.Read = r.Device, r, now
		for i, rule := range rules {
			d.causes[i].age(now, m.stale)
			d.causes[i].look(now, rule, r)
		}
	}
	if len(m.devices) > maxDevices {
		for id, d := range m.devices {
			if d.Read != now {
				delete(m.devices, id)
			}
		}
	}
}

// look takes in what a reading says of the cause.
func (c *causeTrack) look(now lease.Instant, rule rule, r Reading) {
	found, detail := rule.look(r)
	switch found {
	case notKnown:
		return
	case ill:
		c.wellSince = lease.Never
		c.illSince = min(c.illSince, now)
		c.detail = detail
		if !c.held && now.Sub(c.illSince) >= rule.illAfter {
			c.held, c.since, c.doubtful = true, c.illSince, false
		}
	case between:
		c.illSince = lease.Never
		if c.held {
			c.wellSince = lease.Never
			break
		}
		fallthrough // it is not ill: of what is in doubt, no more is to be had
	case well:
		c.illSince = lease.Never
		c.wellSince = min(c.wellSince, now)
		if now.Sub(c.wellSince) >= rule.wellAfter {
			c.held, c.doubtful = false, false
		}
	}
	c.looked = now
}

// age forgets what was not looked at for too long. A cause that held is in doubt from
// then on, until readings say what is.
func (c *causeTrack) age(now lease.Instant, stale time.Duration) {
	if c.looked == lease.Never || now.Sub(c.looked) < stale {
		return
	}
	*c = causeTrack{doubtful: c.held || c.doubtful, looked: lease.Never, illSince: lease.Never, wellSince: lease.Never}
}

// Judge is the judgement on all GPUs at now, in the order of nodes and indices.
func (m *Monitor) Judge(now lease.Instant) []State {
	states := make([]State, 0, len(m.devices))
	for _, d := range m.devices {
		states = append(states, d.judge(now, m.stale))
	}
	slices.SortFunc(states, func(a, b State) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Index, b.Index), cmp.Compare(a.UUID, b.UUID))
	})
	return states
}

func (d *device) judge(now lease.Instant, stale time.Duration) State {
	var causes []CauseState
	looked, doubtful := false, false
	for i := range d.causes {
		c := &d.causes[i]
		c.age(now, stale)
		looked = looked || c.looked != lease.Never
		doubtful = doubtful || c.doubtful
		if c.held {
			causes = append(causes, CauseState{rules[i].cause, c.since, c.detail})
		}
	}
	condition := Unknown
	switch {
	case len(causes) > 0:
		condition = Unhealthy
	case looked && !doubtful:
		condition = Healthy
	}
	if d.Condition != condition {
		d.Condition, d.Since = condition, now
	}
	d.Causes = causes
	return d.State
}
