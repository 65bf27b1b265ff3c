package agent

import (
	"maps"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/lease"
)

// Evictions are made by somebody, who tells what is known of them. Found does not block.
type Evictions interface{ Found() gpu.Evictions }

// An EvictionsStatus is what is known of evictions from GPUs.
type EvictionsStatus struct {
	Passed   bool                 `json:"passed"`            // the cluster has been looked at; what follows is of then
	PassAge  float64              `json:"pass_age_seconds"`  // how long ago
	Trouble  string               `json:"trouble,omitempty"` // what could not be done
	Nodes    []EvictionNodeStatus `json:"nodes"`             // that pods leave, or that the daemon has cordoned
	Blocked  []BlockedStatus      `json:"blocked"`           // pods that are to leave, and can't yet
	Waiting  int                  `json:"waiting"`           // pods that leave when those before them have
	Draining int                  `json:"draining"`          // pods that leave by themselves, since their Workload is stopped
	Kept     map[gpu.Keep]int     `json:"kept"`              // pods that are left, by why
	Stopped  []StoppedStatus      `json:"stopped"`           // that the daemon keeps from bringing pods
	Absent   []string             `json:"absent,omitempty"`  // kinds of such that the cluster does not have
	Evicted  int                  `json:"evicted"`           // pods, since the daemon started
	Recent   []EvictedStatus      `json:"recent,omitempty"`  // the last of them, the newest first
}

// An EvictionNodeStatus is a node that pods leave, or that the daemon has cordoned.
type EvictionNodeStatus struct {
	Name     string               `json:"name"`
	Leave    string               `json:"leave,omitempty"` // how pods leave it: one_by_one or at_once; empty: they do not
	Cordoned []gpu.Mark           `json:"cordoned_for"`    // by the daemon; none: by somebody else
	Gates    []UncordonGateStatus `json:"gates,omitempty"` // of un-cordoning it
}

// An UncordonGateStatus is one condition of un-cordoning a node.
type UncordonGateStatus struct {
	Code     gpu.GateCode `json:"code"`
	Open     bool         `json:"open"`
	Warning  bool         `json:"warning,omitempty"`
	Evidence string       `json:"evidence"`
}

// A PodStatus names a pod.
type PodStatus struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Node      string `json:"node"`
	Priority  int64  `json:"priority"`
}

// A BlockedStatus is a pod whose eviction was refused.
type BlockedStatus struct {
	PodStatus
	Budget string  `json:"budget,omitempty"` // the PodDisruptionBudget that keeps it
	Why    string  `json:"why"`
	Since  float64 `json:"since_seconds"`
}

// An EvictedStatus is a pod that was evicted.
type EvictedStatus struct {
	PodStatus
	Age float64 `json:"age_seconds"`
}

// A StoppedStatus is an object that the daemon has stopped.
type StoppedStatus struct {
	Kind      string `json:"kind"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name"`
}

var paces = map[gpu.Pace]string{gpu.OneByOne: "one_by_one", gpu.AtOnce: "at_once"}

// evictionsStatus is the status of evictions; nil if nobody makes any.
func evictionsStatus(e Evictions, now lease.Instant) *EvictionsStatus {
	if e == nil {
		return nil
	}
	found := e.Found()
	r := found.Report
	pod := func(p gpu.Pod) PodStatus { return PodStatus{p.Namespace, p.Name, p.Node, p.Priority} }
	age := func(t lease.Instant) float64 { return max(0, now.Sub(t)).Seconds() }
	status := &EvictionsStatus{
		Passed: found.Passed, Trouble: found.Trouble, Waiting: r.Waiting, Draining: r.Draining, Absent: r.Absent, Evicted: found.Total,
		Nodes: []EvictionNodeStatus{}, Blocked: []BlockedStatus{}, Stopped: []StoppedStatus{}, Kept: map[gpu.Keep]int{},
	}
	if !found.Passed {
		return status
	}
	status.PassAge = age(found.At)
	for _, n := range r.Nodes {
		one := EvictionNodeStatus{Name: n.Name, Leave: paces[n.Pace], Cordoned: []gpu.Mark{}}
		if n.Ours() {
			one.Cordoned = n.Want
		}
		for _, g := range n.Gates {
			one.Gates = append(one.Gates, UncordonGateStatus{g.Code, g.Open, g.Warning, g.Evidence})
		}
		if one.Leave != "" || n.Ours() {
			status.Nodes = append(status.Nodes, one)
		}
	}
	for _, b := range r.Blocked {
		status.Blocked = append(status.Blocked, BlockedStatus{pod(b.Pod), b.Budget, b.Why, b.For.Seconds() + status.PassAge})
	}
	maps.Copy(status.Kept, r.Kept)
	for _, s := range r.Stopped {
		status.Stopped = append(status.Stopped, StoppedStatus{s.Kind, s.Namespace, s.Name})
	}
	for _, p := range found.Recent {
		status.Recent = append(status.Recent, EvictedStatus{pod(p.Pod), age(p.At)})
	}
	return status
}
