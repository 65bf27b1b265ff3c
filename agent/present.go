package agent

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// present collects what describes the present.
type present struct{ a *Agent }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("failoverd_"+name, help, labels, nil)
}

var (
	descState      = describe("lease_state", "1 for the state that the region is in.", "state")
	descRemaining  = describe("lease_authority_remaining_seconds", "Time until authority ends unless it is renewed; 0 without authority.")
	descEpoch      = describe("lease_epoch", "Epoch of the region's authority or candidacy; 0 for neither.")
	descHolder     = describe("lease_holder", "1 for the region that is known to hold authority: this one, or another that has shown so within a TTL and the staleness bound.", "holder")
	descTTL        = describe("lease_ttl_seconds", "lease.ttl of the configuration.")
	descRenew      = describe("lease_renew_interval_seconds", "lease.renew_interval of the configuration.")
	descFenceTime  = describe("lease_fence_timeout_seconds", "lease.fence_timeout of the configuration.")
	descUp         = describe("witness_up", "1 if the last calls of a witness were answered; its name is empty where there is one.", "witness")
	descStaleness  = describe("witness_observed_staleness_seconds", "By how much, at least, the stalest read of a region's flag in the last ten minutes was stale, at a witness. A region that writes no flag, as a standby, shows nothing.", "witness", "region")
	descBound      = describe("witness_staleness_bound_seconds", "witness.staleness of the configuration, for a witness.", "witness")
	descPeer       = describe("peer_state", "1 for the state of the newest record that came from a peer: active, candidate or unknown.", "peer", "state")
	descEvidence   = describe("peer_evidence_age_seconds", "Time since a peer's last sign of life.", "peer")
	descReached    = describe("quorum_reached", "1 if the last question to a peer was answered through enough resolvers.", "peer")
	descGate       = describe("gate_open", "1 for a gate of taking that is open.", "gate")
	descAlarm      = describe("alarm", "1 for an alarm that holds, by its reason and the region that it is about, and the one of several witnesses, if it is about one; there is no series for one that does not hold.", "reason", "about", "witness")
	descDegraded   = describe("region_degraded", "1 for what degrades the region: a probe that finds something ill, or recovering when none does any more. All 0: it is not degraded.", "cause")
	descSignal     = describe("health_signal", "1 for the verdict of a probe: well, ill or unknown.", "probe", "verdict")
	descLayer      = describe("layer_state", "1 for the state that a layer is in.", "layer", "state")
	descActing     = describe("instance_acting", "1 if this instance acts for its region, 0 if it follows. Only where a region has several; one that follows knows nothing of witness, peers, gates and layers, and has no series of them.")
	descMode       = describe("mode", "1 for the mode of the region: what it decides by itself.", "mode")
	descPaused     = describe("paused", "1 while an operator has the region decide nothing by itself.")
	descClock      = describe("clock_seconds", "What the clock that the lease goes by (CLOCK_BOOTTIME) shows.")
	descClockDrift = describe("clock_max_drift_ratio", "lease.max_clock_drift of the configuration.")
)

// Describe sends no descriptions: the series depend on members and layers.
func (present) Describe(chan<- *prometheus.Desc) {}

// Collect reads the snapshot.
func (p present) Collect(out chan<- prometheus.Metric) {
	c := collector(out)
	s, params := p.a.Status(), &p.a.cfg.Params
	for _, name := range lease.StateNames {
		c.gauge(descState, truth(s.State == name), string(name))
	}
	c.gauge(descRemaining, s.AuthorityRemaining)
	c.gauge(descEpoch, float64(s.Epoch))
	c.gauge(descTTL, params.TTL.Seconds())
	c.gauge(descRenew, params.RenewInterval.Seconds())
	c.gauge(descFenceTime, params.FenceTimeout.Seconds())
	for _, w := range s.witnesses() {
		c.gauge(descBound, w.Staleness, w.Name)
	}
	// Prometheus compares it with its own clock, which no agent could do with another's.
	c.gauge(descClock, p.a.cfg.Clock.Now().Sub(0).Seconds())
	c.gauge(descClockDrift, params.MaxClockDrift)
	for _, alarm := range s.Alarms {
		c.gauge(descAlarm, 1, string(alarm.Code), string(alarm.Region), alarm.Witness)
	}
	c.health(s.Health, s.State != lease.Follower)
	if s.Instance != nil {
		c.gauge(descActing, truth(s.Instance.Acts))
	}
	if s.State != lease.Follower {
		c.acting(s, s.Active(params))
	}
}

// witnesses are all there are.
func (s Status) witnesses() []WitnessStatus {
	if len(s.Witnesses) > 0 {
		return s.Witnesses
	}
	return []WitnessStatus{s.Witness}
}

// A collector sends what describes the present.
type collector chan<- prometheus.Metric

func (c collector) gauge(desc *prometheus.Desc, value float64, labels ...string) {
	c <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, value, labels...)
}

// acting sends what only the instance knows that acts for the region.
func (c collector) acting(s Status, holder lease.Region) {
	for _, m := range lease.Modes {
		c.gauge(descMode, truth(s.Mode == m), string(m))
	}
	c.gauge(descPaused, truth(s.Paused != nil))
	for _, m := range s.Members {
		c.gauge(descHolder, truth(m == holder), string(m))
	}
	for _, w := range s.witnesses() {
		c.gauge(descUp, truth(w.Up), w.Name)
		for _, m := range s.Members {
			c.gauge(descStaleness, w.ObservedByRegion[m], w.Name, string(m))
		}
	}
	for _, peer := range s.Peers {
		for _, state := range []string{string(lease.FlagActive), string(lease.FlagCandidate), "unknown"} {
			c.gauge(descPeer, truth(peer.State == state), string(peer.Region), state)
		}
		c.gauge(descEvidence, peer.EvidenceAge, string(peer.Region))
		if peer.Quorum != nil {
			c.gauge(descReached, truth(peer.Quorum.Reached), string(peer.Region))
		}
	}
	for _, g := range s.Gates {
		c.gauge(descGate, truth(g.Open), string(g.Code))
	}
	for _, l := range s.Layers {
		for _, state := range []layers.State{layers.Active, layers.Inactive, layers.Unknown} {
			c.gauge(descLayer, truth(l.State == state), l.Name, string(state))
		}
	}
}

// health sends what the probes find. That the region is degraded is for the instance to say that acts.
func (c collector) health(h *HealthStatus, acts bool) {
	if h == nil {
		return
	}
	recovering := h.Degraded
	for _, signal := range h.Signals {
		ill := h.Degraded && signal.Verdict == health.Ill
		recovering = recovering && !ill
		if acts {
			c.gauge(descDegraded, truth(ill), signal.Name)
		}
		for _, v := range []health.Verdict{health.Well, health.Ill, health.Unknown} {
			c.gauge(descSignal, truth(signal.Verdict == v), signal.Name, string(v))
		}
	}
	if acts {
		c.gauge(descDegraded, truth(recovering), "recovering")
	}
}

// Active is the region that is known to hold authority, with the parameters that the agent runs with; empty for none.
func (s Status) Active(p *lease.Params) lease.Region {
	if s.Authority {
		return s.Region
	}
	for _, peer := range s.Peers {
		// A record may be of so long ago when it is read, and the next one is as late.
		if peer.Region == s.Holder && peer.State == string(lease.FlagActive) && peer.EvidenceAge < (p.TTL+p.Staleness).Seconds() {
			return peer.Region
		}
	}
	return ""
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
