package gpu

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// Evictions are what is known of evictions in a cluster.
type Evictions struct {
	Passed  bool          // the cluster has been looked at
	At      lease.Instant // when that ended last
	Trouble string        // what could not be done then
	Report  Report        // of what there was after it
	Total   int           // pods that were evicted since the daemon started
	Recent  []Evicted     // the last of them, the newest first
}

// Evicted is a pod that was evicted.
type Evicted struct {
	Pod
	At lease.Instant
}

// A Report is what a pass has found and done.
type Report struct {
	Nodes    []NodePlan    // that pods leave, or that the daemon has cordoned
	Evicted  []Pod         // in this pass
	Blocked  []Blocked     // that are to leave, and can't yet
	Waiting  int           // pods that leave when those before them have, if that is still needed
	Draining int           // pods that leave by themselves, since their Workload is stopped
	Stopped  []Stopped     // that bear the daemon's mark
	Absent   []string      // kinds that the cluster does not have
	Kept     map[Keep]int  // how many pods are left, by why
	Again    time.Duration // after which a pod is to be tried again; 0: none is
}

// Blocked is a pod whose eviction was refused.
type Blocked struct {
	Pod
	Budget string        // that keeps it; empty where the API server names none
	Why    string        // as that says, with the budget
	For    time.Duration // since it was refused first
}

// Stopped is an object that is kept from bringing pods to GPUs.
type Stopped struct{ Kind, Namespace, Name string }

// shown is how many pods, nodes or errors a text names. The rest is counted.
const shown = 3

// String is the report for a log: empty if there is nothing to evict for. It does not
// change from one pass to the next unless something does.
func (r Report) String() string {
	var text []string
	var leave, cordoned []string
	for _, n := range r.Nodes {
		if n.Pace != Stay {
			leave = append(leave, n.Name)
		}
		if len(n.Marks) > 0 {
			cordoned = append(cordoned, n.Name)
		}
		for _, g := range n.Gates {
			if g.Code == GateBudget && (!g.Open || g.Warning) && gateOpen(n, GateRecovered) {
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
	for _, kind := range slices.Sorted(maps.Keys(r.stopped())) {
		text = append(text, fmt.Sprintf("%d %s stopped", r.stopped()[kind], kind))
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

// stopped is how many objects are, by kind.
func (r Report) stopped() map[string]int {
	all := map[string]int{}
	for _, s := range r.Stopped {
		all[s.Kind]++
	}
	return all
}

func gateOpen(n NodePlan, code GateCode) bool {
	return slices.ContainsFunc(n.Gates, func(g Gate) bool { return g.Code == code && g.Open })
}

func some(all []string) string {
	if more := len(all) - shown; more > 0 {
		return strings.Join(all[:shown], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(all, ", ")
}
