package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
)

// A checker knows of a world what its trace has told so far.
type checker struct {
	world    string
	trueTime bool // at is true time; else the boot clock of all agents
	complete bool
	hidden   bool

	at     int64
	agents []*agent
	layers map[string]bool   // of regions: some may be active
	terms  map[string]uint64 // the highest that has ordered a region's layers anything
	epochs map[uint64]string // the region that held authority for it
	given  map[pledge]int64  // when a pledge was last given
	ids    map[writeID]bool  // of all attempts to write
	shelf  map[register]*landings

	findings                                                  []string
	found                                                     int
	broken                                                    int            // of these, assumptions
	foundHere                                                 map[string]int // in this world
	looked                                                    map[string]int
	worlds, lines, steps, started                             int
	takes, extensions, resumptions, pledges, trusted, skipped int
}

// A pledge is by what an answer and what it answers go together.
type pledge struct {
	by, to    string
	epoch     uint64
	authority bool
	term      uint64 // of the asker
}

// A register is a region's flag at a witness, and landings are the writes that it has held.
type register struct {
	region  string
	witness int
}

type landings struct {
	order map[writeID]int
	acked []landedAck
}

// A landedAck says that of all writes that were acknowledged until then, order was the last to land.
type landedAck struct {
	at    int64
	order int
}

func newChecker() *checker {
	c := &checker{looked: map[string]int{}}
	c.begin("the trace", true, false)
	c.worlds = 0
	return c
}

// begin begins a world.
func (c *checker) begin(name string, trueTime, complete bool) {
	c.world, c.trueTime, c.complete, c.hidden = name, trueTime, complete, false
	c.at, c.foundHere, c.agents = math.MinInt64, map[string]int{}, nil
	c.layers, c.terms, c.epochs = map[string]bool{}, map[string]uint64{}, map[uint64]string{}
	c.given, c.ids, c.shelf = map[pledge]int64{}, map[writeID]bool{}, map[register]*landings{}
	c.worlds++
}

// line takes the next line of a trace.
func (c *checker) line(b []byte) (err error) {
	defer func() {
		if m, is := recover().(malformed); is {
			err = m.err
		} else if r := recover(); r != nil {
			panic(r)
		}
	}()
	var l line
	if err := json.Unmarshal(b, &l); err != nil {
		return err
	}
	c.lines++
	if l.World != nil {
		if l.Clock != "true" && l.Clock != "boot" {
			return fmt.Errorf("clock is %q, want true or boot", l.Clock)
		}
		c.begin(*l.World, l.Clock == "true", l.Complete)
		return nil
	}
	switch {
	case l.At < c.at:
		return fmt.Errorf("it is of %d, and the line before it of %d: lines are in the order of time", l.At, c.at)
	case l.Region == "":
		return errors.New("it is of no region")
	}
	c.at, c.hidden = l.At, c.hidden || l.Hidden
	c.pass()
	switch {
	case l.Layers != nil:
		c.layers[l.Region] = *l.Layers
	case l.Landed != nil:
		c.land(register{l.Region, l.Landed.Witness}, l.Landed.WriteID)
	case l.Agent == "":
		return errors.New("it is of no agent")
	case l.Still != nil:
		c.agent(l.Region, l.Agent).be(!*l.Still)
	case l.Gap:
		*c.agent(l.Region, l.Agent) = agent{c: c, region: l.Region, name: l.Agent}
	case l.Step != nil:
		a := c.agent(l.Region, l.Agent)
		if l.Step.Event.Type == "Start" {
			if l.Params == nil || len(l.Params.Members) < 2 || l.Params.TTL <= 0 {
				return errors.New("a Start needs params")
			}
			a.p = l.Params
		}
		if a.p == nil && c.complete {
			return errors.New("it is of a step before the Start")
		}
		if a.p == nil {
			c.skipped++ // behind a gap
			return nil
		}
		c.steps++
		return a.step(l.Step)
	default:
		return errors.New("it tells nothing")
	}
	return nil
}

// agent is the one of a name, which is new if there was none.
func (c *checker) agent(region, name string) *agent {
	for _, a := range c.agents {
		if a.name == name {
			return a
		}
	}
	a := &agent{c: c, region: region, name: name}
	c.agents = append(c.agents, a)
	c.started++
	return a
}

// of are the agents of a region.
func (c *checker) of(region string) []*agent {
	var all []*agent
	for _, a := range c.agents {
		if a.region == region {
			all = append(all, a)
		}
	}
	return all
}

// land notes that a write is in its register.
func (c *checker) land(at register, id writeID) {
	l := c.shelf[at]
	if l == nil {
		l = &landings{order: map[writeID]int{}}
		c.shelf[at] = l
	}
	_, again := l.order[id]
	c.want(!again, "lands-once", at.region, func() string { return fmt.Sprintf("write %x has landed at witness %d before", id, at.witness) })
	l.order[id] = len(l.order) + 1
}

// acknowledged notes that a write is known to have landed.
func (c *checker) acknowledged(a *agent, w write) {
	l := c.shelf[register{a.region, w.witness}]
	if l == nil {
		return // the trace does not tell what lands
	}
	order, landed := l.order[w.id]
	c.want(landed, "acknowledged", a.name, func() string { return fmt.Sprintf("write %x has not landed at witness %d", w.id, w.witness) })
	if n := len(l.acked); n == 0 || order > l.acked[n-1].order {
		l.acked = append(l.acked, landedAck{c.at, order})
	}
}

// fresh looks at what a read returned that was sent at a time.
func (c *checker) fresh(a *agent, at register, sent, bound int64, outcome int, id writeID) {
	l := c.shelf[at]
	if l == nil || outcome == readUnknown || !c.trueTime {
		return
	}
	n, _ := slices.BinarySearchFunc(l.acked, sent-bound, func(k landedAck, t int64) int {
		if k.at <= t {
			return -1
		}
		return 1
	})
	want := 0
	if n > 0 {
		want = l.acked[n-1].order
	}
	c.want(outcome != readMissing && l.order[id] >= want || want == 0, "witness-fresh", a.name, func() string {
		return fmt.Sprintf("a read of the flag of %s at witness %d, sent at %d, did not return what was acknowledged at %d, nor a later one", at.region, at.witness, sent, l.acked[n-1].at)
	})
}

// holds looks at who else holds authority, now that a region does, and under which epoch.
func (c *checker) holds(a *agent) {
	for _, b := range c.agents {
		if b.region != a.region {
			c.want(!b.held || b.end <= c.at+tolerance, "one-holder", a.name, func() string {
				return fmt.Sprintf("it holds authority for epoch %d, and %s for epoch %d, for %d ns more", a.epoch, b.name, b.epoch, b.end-c.at)
			})
		}
	}
	of, is := c.epochs[a.epoch]
	c.want(!is || of == a.region || c.hidden, "one-epoch", a.name, func() string { return fmt.Sprintf("epoch %d was held by %s", a.epoch, of) })
	c.epochs[a.epoch] = a.region
}

// tolerance is what the conversion of a deadline to true time may be off, in nanoseconds.
const tolerance = 1000

// pass looks at the layers of regions whose authority has ended by now.
func (c *checker) pass() {
	for _, a := range c.agents {
		if a.held && !a.ended && c.at > a.end+tolerance {
			a.ended = true
			a.wantInactive()
		}
	}
}
