package sim

import "github.com/openova-io/failoverd/lease"

// An Observation is one thing that can be seen of a world from outside: a step of an agent, and what is true and no agent
// need know. A program that has nothing of this package judges by them (tracecheck).
type Observation struct {
	At     Time
	Region lease.Region
	Agent  string // an instance of the region; empty if it is about the region

	Step    *Step
	Still   *bool    // the agent can't act: it is dead, frozen, or cut off from its API server; or it can again
	Layers  *bool    // some layer of the region may be active, or none is any more
	Landing *Landing // in the region's flag
	// Hidden says that an epoch may have gone unseen, as a record was unreadable or not written: two regions may come to
	// use one, and that is nobody's fault.
	Hidden bool
}

// A Step is one of an agent's machine. Actions are valid until Observe returns.
type Step struct {
	Params  lease.Params
	Now     lease.Instant
	Event   lease.Event
	Actions []lease.Action
}

// A Landing is a write that is in the register of a witness from now on.
type Landing struct {
	Witness int
	WriteID lease.WriteID
}

func (w *world) observe(o Observation) {
	if w.cfg.Observe != nil {
		o.At, o.Hidden = w.now, w.hidden
		w.cfg.Observe(o)
	}
}

func (r *region) observeStep(now lease.Instant, ev lease.Event, actions []lease.Action) {
	if r.w.cfg.Observe != nil {
		r.w.observe(Observation{Region: r.params.Region, Agent: r.name, Step: &Step{r.params, now, ev, actions}})
	}
}

func (r *region) observeStill() {
	still := !r.up || r.frozen || r.cutOff()
	r.w.observe(Observation{Region: r.params.Region, Agent: r.name, Still: &still})
}

func (w *world) observeLanding(r *region, rec record) {
	w.observe(Observation{Region: r.params.Region, Landing: &Landing{rec.witness, rec.flag.WriteID}})
}

// setLayers notes whether some layer of the region may be active.
func (r *region) setLayers(on bool) {
	if r.site.layersOn != on {
		r.site.layersOn = on
		r.w.observe(Observation{Region: r.params.Region, Layers: &on})
	}
}
