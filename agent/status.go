package agent

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/health"
	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/lease"
)

// snapshot is what the owner publishes after each step.
type snapshot struct {
	decision  lease.Decision
	gates     []lease.Gate
	peers     []lease.PeerView
	witnesses []lease.WitnessView
	alarms    []lease.Notice
	observed  []map[lease.Region]time.Duration // staleness, at each witness
	layers    map[string]layers.State
	trouble   map[string]string
	health    health.State
	behind    []string
	leave     []lease.Gate // while the region is active and degraded
	drill     *audit.Drill
}

// witnessUp reports whether the last calls of a witness were answered, and in time.
func (a *Agent) witnessUp(s *snapshot, witness int) bool {
	_, writes := s.trouble[a.opOf(opWriteFlag, witness)]
	_, reads := s.trouble[a.opOf(opReadRound, witness)]
	late := slices.ContainsFunc(s.alarms, func(n lease.Notice) bool {
		return n.Reason == lease.NoticeWitnessDown && n.Witness == s.witnesses[witness].Name
	})
	return !writes && !reads && !late
}

// publish replaces the snapshot.
func (a *Agent) publish() {
	var leave []lease.Gate
	if a.decision.Degraded && a.decision.State == lease.Active {
		leave = a.state.LeaveGates()
	}
	peers, alarms := a.state.Peers(), a.alarms()
	if a.cfg.Mirror != nil {
		a.cfg.Mirror.Show(a.decision, peers)
	}
	if a.cfg.Manager != nil {
		a.cfg.Manager.Show(a.decision)
	}
	if a.cfg.Endpoint != nil {
		a.cfg.Endpoint.Show(a.decision)
	}
	if a.cfg.Notifier != nil {
		a.cfg.Notifier.Show(a.decision, alarms)
	}
	a.snapshot.Store(&snapshot{
		health: a.health.state, behind: a.health.behind, leave: leave,
		decision: a.decision, gates: a.state.Gates(), peers: peers, witnesses: a.state.Witnesses(), alarms: alarms, observed: a.observed,
		layers: maps.Clone(a.layers), trouble: maps.Clone(a.trouble), drill: a.drill,
	})
	a.tellChanged()
}

// A Status is what a region says of itself: the body of GET /status and of
// `failoverd status -o json`. Times are in seconds at the time of asking.
type Status struct {
	Time    time.Time      `json:"time"`
	Group   string         `json:"group"`
	Region  lease.Region   `json:"region"`
	Members []lease.Region `json:"members"`
	Version string         `json:"version"`

	State              lease.StateName `json:"state"`
	Since              float64         `json:"since_seconds"`
	Reason             ReasonStatus    `json:"reason"`
	Epoch              uint64          `json:"epoch"`
	Authority          bool            `json:"authority"`
	AuthorityRemaining float64         `json:"authority_remaining_seconds"`
	FencingStartsIn    float64         `json:"fencing_starts_in_seconds"`
	Holder             lease.Region    `json:"last_known_holder"`

	Mode      lease.Mode      `json:"mode"`
	Paused    *float64        `json:"paused_for_seconds,omitempty"`    // an operator has it decide nothing by itself for so long
	Permitted *float64        `json:"permitted_for_seconds,omitempty"` // an operator has said that it may take, or hand over
	Approval  *ApprovalStatus `json:"approval,omitempty"`              // what it asks an operator for; nil for nothing

	Instance  *InstanceStatus  `json:"instance,omitempty"` // nil in a region of one
	Gates     []GateStatus     `json:"gates"`
	Peers     []PeerStatus     `json:"peers"`
	Layers    []LayerStatus    `json:"layers"`
	Health    *HealthStatus    `json:"health,omitempty"`    // nil without probes
	Behind    []string         `json:"behind,omitempty"`    // what of the data is too far behind to be promoted
	GPUs      *GPUsStatus      `json:"gpus,omitempty"`      // nil if none is watched
	Evictions *EvictionsStatus `json:"evictions,omitempty"` // nil if no pods are evicted from GPUs
	Witness   WitnessStatus    `json:"witness"`             // of several: it is up if a majority is
	Witnesses []WitnessStatus  `json:"witnesses,omitempty"` // where there are several
	Alarms    []AlarmStatus    `json:"alarms"`
	Drill     *audit.Drill     `json:"drill,omitempty"` // the last one that was begun here; nil for none
}

// An ApprovalStatus is what a semi-automatic region would do, if an operator approved.
type ApprovalStatus struct {
	Kind  lease.RequestKind `json:"kind"`
	Since float64           `json:"since_seconds"`
	Until float64           `json:"until_seconds"` // then it is asked for anew
}

// An InstanceStatus is one of several of a region.
type InstanceStatus struct {
	Name      string `json:"name"`
	Acts      bool   `json:"acts"`           // for the region
	Confirmed bool   `json:"confirmed"`      // it knows that it alone does
	Term      uint64 `json:"term,omitempty"` // that it acts under
	Leader    string `json:"leader"`         // the one that acts, as far as is known
	Trouble   string `json:"trouble,omitempty"`

	// ProvesFor is for how long one that follows can prove that the region holds authority.
	ProvesFor float64 `json:"proves_authority_seconds,omitempty"`
}

// A ReasonStatus is an entry of the table of reasons.
type ReasonStatus struct {
	Code     lease.ReasonCode `json:"code"`
	Severity lease.Severity   `json:"severity"`
	Title    string           `json:"title"`
	Text     string           `json:"text"`
	Remedy   string           `json:"remedy,omitempty"`
}

// A GateStatus is one condition of taking.
type GateStatus struct {
	ReasonStatus
	Path        lease.Path   `json:"path,omitempty"` // the way to authority that it is on; empty for both
	Open        bool         `json:"open"`
	Region      lease.Region `json:"region,omitempty"`
	EvidenceAge *float64     `json:"evidence_age_seconds,omitempty"`
	OpensIn     *float64     `json:"opens_in_seconds,omitempty"`
}

// A PeerStatus is what is known of another region.
type PeerStatus struct {
	Region      lease.Region `json:"region"`
	State       string       `json:"state"` // of its newest record: active, candidate or unknown
	Epoch       uint64       `json:"epoch"`
	RecordAge   *float64     `json:"record_age_seconds,omitempty"`
	EvidenceAge float64      `json:"evidence_age_seconds"`
	Known       bool         `json:"known"`
	Differs     []string     `json:"differs,omitempty"`
	Degraded    []string     `json:"degraded,omitempty"` // why it is, as its info record says
	Behind      []string     `json:"behind,omitempty"`   // what of its data is too far behind, as that says
	Mode        lease.Mode   `json:"mode"`               // as that says; empty before it has been seen
	Paused      bool         `json:"paused"`             // an operator has it decide nothing by itself, as that says
	Quorum      *PeerQuorum  `json:"quorum,omitempty"`   // nil without a quorum
}

// A PeerQuorum is what another region says through the quorum.
type PeerQuorum struct {
	Reached        bool             `json:"reached"` // the last question was answered
	AnswerAge      *float64         `json:"answer_age_seconds,omitempty"`
	State          lease.StateName  `json:"state,omitempty"` // in its last answer, as the rest
	Authority      bool             `json:"authority"`
	Epoch          uint64           `json:"epoch,omitempty"`
	Degraded       bool             `json:"degraded"`
	Behind         bool             `json:"behind"`
	Willing        bool             `json:"willing"`         // it would pledge, or has pledged
	Why            lease.ReasonCode `json:"why,omitempty"`   // it would not
	DeclaredFenced bool             `json:"declared_fenced"` // by an operator
	Resolvers      []ResolverStatus `json:"resolvers,omitempty"`
}

// A LayerStatus is what is known of one layer.
type LayerStatus struct {
	Name    string       `json:"name"`
	State   layers.State `json:"state"`
	Trouble string       `json:"trouble,omitempty"` // what the last attempt to fence or activate it was kept by
}

// A WitnessStatus is how the witness does, or one of several.
type WitnessStatus struct {
	Name              string            `json:"name,omitempty"` // of one of several
	Up                bool              `json:"up"`
	Trouble           map[string]string `json:"trouble,omitempty"` // what fails now, by call
	Staleness         float64           `json:"staleness_bound_seconds"`
	ObservedStaleness float64           `json:"observed_staleness_seconds"` // of the stalest flag, at least, in the last minutes

	// ObservedByRegion is that of each region's flag, at a witness; empty for several together.
	ObservedByRegion map[lease.Region]float64 `json:"observed_staleness_by_region_seconds,omitempty"`
}

// An AlarmStatus is a notice that still holds.
type AlarmStatus struct {
	ReasonStatus
	Region  lease.Region `json:"region,omitempty"`
	Witness string       `json:"witness,omitempty"` // of several
	Detail  string       `json:"detail,omitempty"`
}

// About names what it is about, for people; it is empty if that is nothing in particular.
func (a AlarmStatus) About() string {
	return lease.Notice{Region: a.Region, Witness: a.Witness}.About()
}

func reasonStatus(code lease.ReasonCode) ReasonStatus {
	r := lease.ReasonOf(code)
	return ReasonStatus{r.Code, r.Severity, r.Title, r.Text, r.Remedy}
}

// Status describes the region now. Any goroutine may call it.
func (a *Agent) Status() Status {
	s := a.snapshot.Load()
	d := s.decision
	now := a.cfg.Clock.Now()
	age := func(t lease.Instant) *float64 {
		if t == lease.Never || t < 0 {
			return nil
		}
		v := now.Sub(t).Seconds()
		return &v
	}
	status := Status{
		Time: time.Now(), Group: a.cfg.Params.Group, Region: a.cfg.Params.Region, Members: a.cfg.Params.Members, Version: a.cfg.Version,
		State: d.State, Since: now.Sub(d.Since).Seconds(), Reason: reasonStatus(d.Reason),
		Epoch: d.Epoch, Holder: d.Holder,
		Witness: WitnessStatus{
			Trouble: maps.Clone(s.trouble), Staleness: a.cfg.Params.Staleness.Seconds(),
		},
		Peers: []PeerStatus{}, Layers: []LayerStatus{}, Alarms: []AlarmStatus{}, // none is [], not null
	}
	up := 0
	for i, view := range s.witnesses {
		w := WitnessStatus{Name: view.Name, Up: a.witnessUp(s, i), Staleness: view.Bound.Seconds(), ObservedByRegion: map[lease.Region]float64{}}
		for region, d := range s.observed[i] {
			w.ObservedByRegion[region] = d.Seconds()
			w.ObservedStaleness = max(w.ObservedStaleness, d.Seconds())
		}
		if w.Up {
			up++
		}
		status.Witness.ObservedStaleness = max(status.Witness.ObservedStaleness, w.ObservedStaleness)
		if view.Name == "" {
			status.Witness.ObservedByRegion = w.ObservedByRegion
		} else {
			status.Witnesses = append(status.Witnesses, w)
		}
	}
	status.Witness.Up = 2*up > len(s.witnesses)
	if a.cfg.Term != nil {
		i := &InstanceStatus{Name: a.cfg.Params.Instance, Acts: d.Term > 0, Confirmed: d.Confirmed, Term: d.Term, Leader: d.Leader}
		for _, op := range []string{opReadTerm, opWriteTerm} {
			if text, ok := status.Witness.Trouble[op]; ok {
				i.Trouble = text
				delete(status.Witness.Trouble, op)
			}
		}
		if d.State == lease.Follower && now < d.FenceAt {
			i.ProvesFor = d.FenceAt.Sub(now).Seconds()
		}
		status.Instance = i
	}
	// §2: authority ends by the clock, whatever the last step said.
	if d.Authority && now < d.Deadline {
		status.Authority = true
		status.AuthorityRemaining = d.Deadline.Sub(now).Seconds()
		status.FencingStartsIn = max(0, d.FenceAt.Sub(now).Seconds())
	}
	left := func(until lease.Instant) *float64 {
		if until <= now {
			return nil
		}
		v := until.Sub(now).Seconds()
		return &v
	}
	status.Mode, status.Paused, status.Permitted = d.Mode, left(d.PausedUntil), left(d.PermittedUntil)
	if r := d.Request; r.Kind != "" {
		status.Approval = &ApprovalStatus{r.Kind, now.Sub(r.Since).Seconds(), r.Until.Sub(now).Seconds()}
	}
	gates := func(all []lease.Gate) []GateStatus {
		out := []GateStatus{}
		for _, g := range all {
			gate := GateStatus{ReasonStatus: reasonStatus(g.Code), Path: g.Path, Open: g.Open, Region: g.Region, EvidenceAge: age(g.Evidence)}
			if !g.Open && g.OpensAt != lease.Never {
				in := max(0, g.OpensAt.Sub(now).Seconds())
				gate.OpensIn = &in
			}
			out = append(out, gate)
		}
		return out
	}
	status.Gates = gates(s.gates)
	status.Behind, status.Drill = s.behind, s.drill
	status.GPUs = gpusStatus(a.cfg.GPUs, now)
	status.Evictions = evictionsStatus(a.cfg.Evictions, now)
	if len(s.health.Signals) > 0 {
		status.Health = &HealthStatus{Degraded: s.health.Degraded, Since: age(s.health.Since), Gates: gates(s.leave)}
		for _, signal := range s.health.Signals {
			status.Health.Signals = append(status.Health.Signals, SignalStatus{signal.Name, signal.Kind, signal.Verdict, now.Sub(signal.Since).Seconds(), signal.Detail})
		}
	}
	for _, p := range s.peers {
		peer := PeerStatus{
			Region: p.Region, State: string(p.State), Epoch: p.Epoch, Known: p.Known, Differs: p.Differs, Degraded: p.Degraded, Behind: p.Behind, Mode: p.Mode, Paused: p.Paused,
			RecordAge: age(p.Recorded), EvidenceAge: now.Sub(p.Evidence).Seconds(),
		}
		if peer.State == "" {
			peer.State = "unknown"
		}
		if !p.Known {
			peer.Mode = "" // it has not said
		}
		if a.cfg.Params.Quorum {
			peer.Quorum = &PeerQuorum{
				Reached: p.Reached, AnswerAge: age(p.Answered), State: p.Said.State, Authority: p.Said.Authority, Epoch: p.Said.Epoch,
				Degraded: p.Said.Degraded, Behind: p.Said.Behind,
				Willing: p.Said.Granted, Why: p.Said.Why, DeclaredFenced: p.Fenced, Resolvers: a.resolvers.of(p.Region),
			}
		}
		status.Peers = append(status.Peers, peer)
	}
	for _, l := range a.cfg.Layers {
		layer := LayerStatus{Name: l.Name(), State: s.layers[l.Name()]}
		for _, action := range []layers.Action{layers.Activate, layers.Fence} {
			op := layerOp(action, l.Name())
			if text, ok := s.trouble[op]; ok {
				layer.Trouble = fmt.Sprintf("%s: %s", action, text)
				delete(status.Witness.Trouble, op)
			}
		}
		status.Layers = append(status.Layers, layer)
	}
	for _, n := range s.alarms {
		status.Alarms = append(status.Alarms, AlarmStatus{reasonStatus(n.Reason), n.Region, n.Witness, n.Detail})
	}
	return status
}
