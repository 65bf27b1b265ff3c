package agent

import (
	"context"
	"slices"
	"time"

	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/lease"
)

// A Probe is a signal of the region's health, and how to look at it.
type Probe struct {
	health.Signal
	Timeout time.Duration // of one look
	Look    func(context.Context) (v health.Verdict, detail string)
}

// regionHealth is what is known of the region's health.
type regionHealth struct {
	monitor *health.Monitor // nil without probes
	state   health.State
	began   map[string]time.Time // wall clock time since which a signal is ill, for people
	behind  []string             // what of the data is too far behind to be promoted
	told    lease.Health         // the last event
}

// beginHealth starts a goroutine for each probe, and one for the layers whose data follows.
func (a *Agent) beginHealth(calls context.Context) {
	a.followLayers(calls)
	if len(a.cfg.Probes) == 0 {
		return
	}
	var signals []health.Signal
	for _, p := range a.cfg.Probes {
		signals = append(signals, p.Signal)
		a.calls.Go(func() { a.look(calls, p) })
	}
	now := a.cfg.Clock.Now()
	a.health = regionHealth{monitor: health.NewMonitor(a.cfg.Health, signals, now), began: map[string]time.Time{}}
	a.health.state = a.health.monitor.Judge(now)
}

// look looks at each interval until calls ends.
func (a *Agent) look(calls context.Context, p Probe) {
	tick := time.NewTicker(p.Interval)
	defer tick.Stop()
	due := a.cfg.Clock.Now()
	for {
		begun := a.cfg.Clock.Now()
		ctx, cancel := context.WithTimeout(calls, p.Timeout)
		v, detail := p.Look(ctx)
		cancel()
		ended := a.cfg.Clock.Now()
		a.tell(calls, health.Look{Name: p.Name, Verdict: v, Detail: detail, Late: max(begun.Sub(due), ended.Sub(begun)-p.Timeout)})
		due = begun.Add(p.Interval)
		select {
		case <-tick.C:
		case <-calls.Done():
			return
		}
	}
}

// seen takes in what a probe has seen.
func (a *Agent) seen(calls context.Context, l health.Look) {
	l.CutOff = a.cutOff()
	a.judged(calls, a.health.monitor.Look(a.cfg.Clock.Now(), l))
}

// cutOff reports whether the agent reaches neither a witness nor any resolver.
func (a *Agent) cutOff() bool {
	s := a.snapshot.Load()
	for i := range s.witnesses {
		if a.witnessUp(s, i) {
			return false
		}
	}
	return !a.cfg.Params.Quorum || slices.ContainsFunc(s.alarms, func(n lease.Notice) bool { return n.Reason == lease.NoticeCutOff })
}

// judgeHealth judges when that is due, though no probe has seen anything.
func (a *Agent) judgeHealth(calls context.Context) {
	if m := a.health.monitor; m != nil && a.cfg.Clock.Now() >= m.Wake() {
		a.judged(calls, m.Judge(a.cfg.Clock.Now()))
	}
}

// judged takes the judgement in.
func (a *Agent) judged(calls context.Context, s health.State) {
	before := a.health.state
	a.health.state = s
	for i, signal := range s.Signals {
		if was := before.Signals[i].Verdict; was != signal.Verdict && (was == health.Ill || signal.Verdict == health.Ill) {
			a.cfg.Log.Warn("the region's health", "probe", signal.Name, "verdict", signal.Verdict, "detail", signal.Detail)
		}
		if signal.Verdict != health.Ill {
			delete(a.health.began, signal.Name)
			continue
		}
		if _, ok := a.health.began[signal.Name]; !ok {
			a.health.began[signal.Name] = time.Now().Add(-a.cfg.Clock.Now().Sub(signal.Since))
		}
	}
	a.tellHealth(calls)
}

// tellHealth tells the state machine how the region is, if that has changed anything for it.
func (a *Agent) tellHealth(calls context.Context) {
	s := a.health.state
	ev := lease.Health{Degraded: s.Degraded, Behind: a.health.behind}
	for _, signal := range s.Signals {
		if s.Degraded && signal.Verdict == health.Ill {
			ev.Causes = append(ev.Causes, signal.Name+" since "+a.health.began[signal.Name].UTC().Format(time.RFC3339))
		}
	}
	switch {
	case ev.Degraded == a.health.told.Degraded && slices.Equal(ev.Causes, a.health.told.Causes) && slices.Equal(ev.Behind, a.health.told.Behind):
		a.publish()
		a.setTimer()
		return
	case ev.Degraded && !a.health.told.Degraded:
		a.cfg.Log.Warn("the region is degraded", "causes", s.Causes())
	case !ev.Degraded && a.health.told.Degraded:
		a.cfg.Log.Info("the region has recovered")
	}
	a.health.told = ev
	a.step(calls, ev)
}

// setTimer sets the timer to what is due first.
func (a *Agent) setTimer() {
	at := a.decision.Wake
	if a.health.monitor != nil {
		at = min(at, a.health.monitor.Wake())
	}
	a.timer.Set(at)
}

// A HealthStatus is how the region is.
type HealthStatus struct {
	Degraded bool           `json:"degraded"`
	Since    *float64       `json:"since_seconds,omitempty"` // it is so
	Signals  []SignalStatus `json:"signals"`
	Gates    []GateStatus   `json:"hand_over_gates,omitempty"` // of handing over, while the region is active and degraded
}

// A SignalStatus is what a probe has seen.
type SignalStatus struct {
	Name    string         `json:"name"`
	Kind    health.Kind    `json:"kind"`
	Verdict health.Verdict `json:"verdict"`
	Since   float64        `json:"since_seconds"`
	Detail  string         `json:"detail,omitempty"`
}
