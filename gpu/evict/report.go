package evict

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/gpu"
)

// A Report is what a pass has found and done.
type Report struct {
	Nodes    []gpu.NodePlan   // that pods leave, or that the daemon has cordoned
	Evicted  []gpu.Pod        // in this pass
	Blocked  []Blocked        // that are to leave, and can't yet
	Waiting  int              // pods that leave when those before them have, if that is still needed
	Draining int              // pods that leave by themselves, since their Workload is stopped
	Stopped  []Stopped        // that bear the daemon's mark
	Absent   []string         // kinds that the cluster does not have
	Kept     map[gpu.Keep]int // how many pods are left, by why
	Again    time.Duration    // after which a pod is to be tried again; 0: none is
}

// Blocked is a pod whose eviction was refused.
type Blocked struct {
	gpu.Pod
	Why string        // as the API server says, with the budget
	For time.Duration // since it was refused first
}

// Stopped is an object that is kept from bringing pods to GPUs.
type Stopped struct{ Kind, Namespace, Name string }

// stopped takes in those of some objects that are, each once.
func (r *Report) stopped(k *kind, objects []*unstructured.Unstructured) {
	for _, o := range objects {
		s := Stopped{k.String(), o.GetNamespace(), o.GetName()}
		if stoppedByUs(o) && !slices.Contains(r.Stopped, s) {
			r.Stopped = append(r.Stopped, s)
		}
	}
}

// shown is how many pods, nodes or errors a text names. The rest is counted.
const shown = 3

// String is the report for a log: empty if there is nothing to evict for. It does not
// change from one pass to the next unless something does.
func (r Report) String() string {
	var text []string
	var leave, cordoned []string
	for _, n := range r.Nodes {
		if n.Pace != gpu.Stay {
			leave = append(leave, n.Name)
		}
		if len(n.Marks) > 0 {
			cordoned = append(cordoned, n.Name)
		}
		for _, g := range n.Gates {
			if g.Code == gpu.GateBudget && (!g.Open || g.Warning) && gateOpen(n, gpu.GateRecovered) {
				verb := "is un-cordoned"
				if !g.Open {
					verb = "stays cordoned"
				}
				text = append(text, fmt.Sprintf("node %s %s: %s", n.Name, verb, g.Evidence))
			}
		}
	}
	if more := len(text) - shown; more > 0 {
		text = append(text[:shown], fmt.Sprintf("and %d more", more))
	}
	if len(leave) > 0 {
		text = append(text, "pods leave "+some(leave))
	} else if len(cordoned) > 0 {
		text = append(text, "cordoned: "+some(cordoned))
	}
	for _, k := range kinds {
		n := 0
		for _, s := range r.Stopped {
			if s.Kind == k.String() {
				n++
			}
		}
		if n > 0 {
			text = append(text, fmt.Sprintf("%d %s stopped", n, k.resource))
		}
	}
	if len(r.Blocked) > 0 {
		var why []string
		for _, b := range r.Blocked {
			why = append(why, fmt.Sprintf("%s/%s: %s", b.Namespace, b.Name, b.Why))
		}
		text = append(text, fmt.Sprintf("%d pods can't leave yet: %s", len(why), some(why)))
	}
	return strings.Join(text, "; ")
}

func gateOpen(n gpu.NodePlan, code gpu.GateCode) bool {
	return slices.ContainsFunc(n.Gates, func(g gpu.Gate) bool { return g.Code == code && g.Open })
}

func some(all []string) string {
	if more := len(all) - shown; more > 0 {
		return strings.Join(all[:shown], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(all, ", ")
}
