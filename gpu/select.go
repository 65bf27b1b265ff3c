package gpu

import (
	"cmp"
	"slices"
)

// A Pod is what a selection needs to know of a pod of Kubernetes.
type Pod struct {
	Namespace, Name string
	UID             string
	Node            string // empty: it is on none yet
	Priority        int64  // 0 where the pod states none
	Asks            bool   // for a resource nvidia.com/*
	Claims          bool   // for devices by resource claims
	Matches         bool   // the selector
	DaemonSet       bool   // is its controller
	Mirror          bool   // of a static pod: the kubelet runs it, whatever the API server says
	Finished        bool   // it has succeeded or failed
	Terminating     bool
}

// A Keep is why a pod is left where it is.
type Keep string

const (
	KeepElsewhere   Keep = "elsewhere"   // on a node that nothing is to leave
	KeepUnscheduled Keep = "unscheduled" // on no node: it has no GPU
	KeepNoGPU       Keep = "no_gpu"      // it asks for none
	KeepClaim       Keep = "claim"       // it has resource claims, of which it is not known what they stand for
	KeepSelector    Keep = "selector"    // its labels do not match
	KeepPriority    Keep = "priority"    // above the highest that is evicted
	KeepDaemonSet   Keep = "daemonset"   // it would come back at once, cordoned or not
	KeepMirror      Keep = "mirror"      // the API server can't stop it
	KeepFinished    Keep = "finished"    // it holds no GPU any more
	KeepTerminating Keep = "terminating" // it is leaving already
)

// Keeps are all of them.
var Keeps = []Keep{KeepElsewhere, KeepUnscheduled, KeepNoGPU, KeepClaim, KeepSelector, KeepPriority, KeepDaemonSet, KeepMirror, KeepFinished, KeepTerminating}

// A Selection says which pods leave.
type Selection struct {
	Evict []Pod // the lowest priority first, then by namespace and name
	Kept  []Kept
}

// Kept is a pod that is left, and why.
type Kept struct {
	Pod
	Why Keep
}

// Select selects the pods that leave nodes, of a priority up to maxPriority.
func Select(pods []Pod, leave func(node string) bool, maxPriority int64) Selection {
	var s Selection
	for _, p := range pods {
		if why := keep(p, leave, maxPriority); why != "" {
			s.Kept = append(s.Kept, Kept{p, why})
		} else {
			s.Evict = append(s.Evict, p)
		}
	}
	slices.SortFunc(s.Evict, order)
	slices.SortFunc(s.Kept, func(a, b Kept) int { return order(a.Pod, b.Pod) })
	return s
}

func order(a, b Pod) int {
	return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
}

// keep is why a pod is left; empty if it is not.
func keep(p Pod, leave func(node string) bool, maxPriority int64) Keep {
	switch {
	case !p.Asks && !p.Claims:
		return KeepNoGPU
	case p.Node == "":
		return KeepUnscheduled
	case !leave(p.Node):
		return KeepElsewhere
	case p.Mirror:
		return KeepMirror
	case p.DaemonSet:
		return KeepDaemonSet
	case p.Finished:
		return KeepFinished
	case !p.Asks:
		return KeepClaim
	case !p.Matches:
		return KeepSelector
	case p.Priority > maxPriority:
		return KeepPriority
	case p.Terminating:
		return KeepTerminating
	}
	return ""
}
