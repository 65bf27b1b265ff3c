// Package health says whether a region is degraded: ill, but alive.
//
// It is pure: probes look (package probe), a Monitor judges what they have seen. A region
// is degraded when two signals of different kinds are ill at once, or one is for
// DegradedAfter; it has recovered when none has been ill for RecoveredAfter. What is not
// known makes nobody ill, and nobody well.
package health

import (
	"fmt"
	"slices"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// A Verdict is what a probe has seen.
type Verdict string

const (
	Unknown Verdict = "unknown" // it could not look, or its look says nothing about the region
	Well    Verdict = "well"
	Ill     Verdict = "ill"
)

// A Kind is what a probe looks at. Signals of one kind are likely to have one cause.
type Kind string

const (
	HTTP       Kind = "http"
	TCP        Kind = "tcp"
	DNS        Kind = "dns"
	NodesReady Kind = "kubernetes_nodes_ready"
	APILatency Kind = "kubernetes_api_latency"
	Gateway    Kind = "gateway"
	CNPG       Kind = "cnpg"
	Cilium     Kind = "cilium"
	GPUs       Kind = "gpus_healthy"
)

// outward reports whether a probe goes out of the region: what it finds says nothing
// while that is cut off.
func (k Kind) outward() bool { return k == HTTP || k == TCP || k == DNS }

const (
	confirmations  = 2 // looks on end that must find a signal ill: one lost packet is no illness
	staleIntervals = 3 // after which a probe that has not looked knows nothing
)

// A Signal names one probe.
type Signal struct {
	Name     string
	Kind     Kind
	Interval time.Duration // between looks
}

// Params are the thresholds.
type Params struct {
	DegradedAfter  time.Duration // that one signal alone is ill
	RecoveredAfter time.Duration // that no signal is ill
}

// A Look is what one probe has seen.
type Look struct {
	Name    string
	Verdict Verdict
	Detail  string // for people

	// What makes the agent distrust what it has seen: the trouble may be its own.
	Late   time.Duration // the look began after it was due, or took longer than it may
	CutOff bool          // neither the witness nor any resolver could be reached
}

// trusted is what a look says of the region.
func (l Look) trusted(s Signal) (v Verdict, detail string) {
	switch {
	case l.Verdict != Ill:
	case l.Late > max(s.Interval/2, time.Second):
		return Unknown, fmt.Sprintf("this agent was %v late to look: it is short of time itself (%s)", l.Late.Round(time.Millisecond), l.Detail)
	case l.CutOff && s.Kind.outward():
		return Unknown, "this agent has no way out itself: " + l.Detail
	}
	return l.Verdict, l.Detail
}

// A SignalState is what is known of a signal.
type SignalState struct {
	Signal
	Verdict Verdict       // Ill only when it was found so often enough
	Since   lease.Instant // it has that verdict; of Ill, from the first look that found it so
	Detail  string        // of the last look
}

// A State is the judgement.
type State struct {
	Degraded bool
	Since    lease.Instant // it is so; Never before the first change
	Signals  []SignalState // in the order of the configuration
}

// A Monitor judges. It is not safe for concurrent use: one goroutine owns it.
type Monitor struct {
	p        Params
	signals  []signal
	degraded bool
	since    lease.Instant
	illUntil lease.Instant // the last time at which any signal was ill, while degraded
}

type signal struct {
	SignalState
	ill      int           // looks on end that found it ill
	illSince lease.Instant // the first of them
	looked   lease.Instant // the last look that could tell
}

// NewMonitor returns a monitor that knows nothing yet: the region is not degraded.
func NewMonitor(p Params, signals []Signal, now lease.Instant) *Monitor {
	m := &Monitor{p: p, since: lease.Never}
	for _, s := range signals {
		m.signals = append(m.signals, signal{SignalState: SignalState{Signal: s, Verdict: Unknown, Since: now}, looked: now})
	}
	return m
}

// Look takes in what a probe has seen at now, and judges.
func (m *Monitor) Look(now lease.Instant, l Look) State {
	m.noteIll(now)
	i := slices.IndexFunc(m.signals, func(s signal) bool { return s.Name == l.Name })
	if i < 0 {
		return m.Judge(now)
	}
	s := &m.signals[i]
	var v Verdict
	switch v, s.Detail = l.trusted(s.Signal); v {
	case Well:
		s.ill, s.looked = 0, now
		s.become(Well, now)
	case Ill:
		if s.ill == 0 {
			s.illSince = now
		}
		s.ill++
		s.looked = now
		if s.ill >= confirmations {
			s.become(Ill, s.illSince)
		}
	case Unknown:
	}
	return m.Judge(now)
}

func (s *signal) become(v Verdict, since lease.Instant) {
	if s.Verdict != v {
		s.Verdict, s.Since = v, since
	}
}

// stale is when a signal is not known any more, unless its probe looks before.
func (s *signal) stale() lease.Instant { return s.looked.Add(staleIntervals * s.Interval) }

// Judge is the judgement at now. It is due at Wake if no look comes before.
func (m *Monitor) Judge(now lease.Instant) State {
	m.noteIll(now)
	for i := range m.signals {
		if s := &m.signals[i]; s.Verdict != Unknown && now >= s.stale() {
			s.become(Unknown, now)
			s.ill = 0
		}
	}
	m.noteIll(now)
	ill := m.ill()
	switch {
	case !m.degraded && (independent(ill) || slices.ContainsFunc(ill, func(s signal) bool { return now >= s.Since.Add(m.p.DegradedAfter) })):
		m.degraded, m.since = true, now
	case m.degraded && now >= m.illUntil.Add(m.p.RecoveredAfter) && !m.blind():
		m.degraded, m.since = false, now
	}
	return m.state()
}

// noteIll notes that up to now some signal was ill, if one was.
func (m *Monitor) noteIll(now lease.Instant) {
	if len(m.ill()) > 0 {
		m.illUntil = now
	}
}

func (m *Monitor) ill() []signal {
	var ill []signal
	for _, s := range m.signals {
		if s.Verdict == Ill {
			ill = append(ill, s)
		}
	}
	return ill
}

// blind reports whether nothing is known of any signal: that is no recovery.
func (m *Monitor) blind() bool {
	return !slices.ContainsFunc(m.signals, func(s signal) bool { return s.Verdict != Unknown })
}

// independent reports whether two of the signals are of different kinds.
func independent(ill []signal) bool {
	return slices.ContainsFunc(ill, func(s signal) bool { return s.Kind != ill[0].Kind })
}

// Wake is when the judgement may change though no probe looks; Never if it can't.
func (m *Monitor) Wake() lease.Instant {
	at := lease.Never
	for _, s := range m.signals {
		if s.Verdict == Unknown {
			continue
		}
		at = min(at, s.stale())
		if s.Verdict == Ill && !m.degraded {
			at = min(at, s.Since.Add(m.p.DegradedAfter))
		}
	}
	if m.degraded && len(m.ill()) == 0 && !m.blind() {
		at = min(at, m.illUntil.Add(m.p.RecoveredAfter))
	}
	return at
}

func (m *Monitor) state() State {
	st := State{Degraded: m.degraded, Since: m.since}
	for _, s := range m.signals {
		st.Signals = append(st.Signals, s.SignalState)
	}
	return st
}

// Causes are the signals that are ill, for people.
func (s State) Causes() []string {
	var causes []string
	for _, signal := range s.Signals {
		if signal.Verdict == Ill {
			causes = append(causes, signal.Name+": "+signal.Detail)
		}
	}
	return causes
}
