package gpu

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// A Mark is why the daemon has cordoned a node.
type Mark string

const (
	MarkGPU    Mark = "gpu"    // a GPU of it is unhealthy
	MarkRegion Mark = "region" // the region is degraded
)

// A Node is what a plan needs to know of a node of Kubernetes.
type Node struct {
	Name     string
	GPUs     int64 // that it has for pods
	Cordoned bool
	Marks    []Mark // that the daemon's own cordon bears; none: it is not cordoned, or by somebody else
}

// A Pace is how pods leave a node.
type Pace int

const (
	Stay     Pace = iota
	OneByOne      // until the GPU is well: less load may be all that it needs
	AtOnce
)

// A NodePlan is what is to become of one node.
type NodePlan struct {
	Node
	Pace  Pace
	Want  []Mark // that the daemon's cordon is to bear; none: no cordon of the daemon's
	Gates []Gate // of un-cordoning it, for one that the daemon has cordoned
}

// Ours reports whether the node is cordoned by the daemon, or is to be.
func (p NodePlan) Ours() bool { return len(p.Want) > 0 && (!p.Cordoned || len(p.Marks) > 0) }

// A Gate is a condition of un-cordoning a node.
type Gate struct {
	Code     GateCode
	Open     bool
	Warning  bool // it is open, but soon will not be
	Evidence string
}

// A GateCode names a gate.
type GateCode string

const (
	GateRecovered GateCode = "recovered" // what the node was cordoned for is known to be over
	GateBudget    GateCode = "budget"    // the GPUs that pods can have stay within the budget
)

// Plan says what is to become of nodes: those with an unhealthy GPU are left by pods, and
// all that have any GPU while the region is Unhealthy. What is Unknown changes nothing: no
// pod leaves for it, and no node is un-cordoned. budget is how many GPUs pods may have
// altogether; 0 for any number.
func Plan(nodes []Node, states []State, region Condition, budget int64) []NodePlan {
	of := map[string][]State{}
	for _, s := range states {
		of[s.Node] = append(of[s.Node], s)
	}
	plans := make([]NodePlan, 0, len(nodes))
	for _, n := range nodes {
		plans = append(plans, planNode(n, of[n.Name], region))
	}
	slices.SortFunc(plans, func(a, b NodePlan) int { return cmp.Compare(a.Name, b.Name) })
	gateUncordons(plans, budget)
	return plans
}

func planNode(n Node, gpus []State, region Condition) NodePlan {
	p := NodePlan{Node: n}
	own, pace := judgeNode(gpus)
	switch {
	case region == Unhealthy && n.GPUs > 0:
		pace = AtOnce
	case own != Unhealthy:
		pace = Stay
	}
	p.Pace = pace
	for _, m := range []struct {
		mark Mark
		is   Condition
		able bool
	}{{MarkGPU, own, true}, {MarkRegion, region, n.GPUs > 0}} {
		held := slices.Contains(n.Marks, m.mark)
		if m.is == Unhealthy && m.able || m.is != Healthy && held {
			p.Want = append(p.Want, m.mark)
		}
	}
	return p
}

// judgeNode is how the GPUs of a node are, and how pods are to leave it for that.
func judgeNode(gpus []State) (Condition, Pace) {
	is, pace := Unknown, Stay
	healthy := 0
	for _, s := range gpus {
		switch s.Condition {
		case Healthy:
			healthy++
		case Unhealthy:
			is = Unhealthy
			pace = max(pace, OneByOne)
			if slices.ContainsFunc(s.Causes, func(c CauseState) bool { return c.Cause != MemoryPressure && c.Cause != ThermalThrottling }) {
				pace = AtOnce
			}
		}
	}
	if is == Unknown && healthy > 0 && healthy == len(gpus) {
		is = Healthy
	}
	return is, pace
}

// warnAt is the share of the budget, in percent, from which on it is warned of.
const warnAt = 80

// gateUncordons keeps the cordons of nodes that may not have pods again yet. Nodes are
// looked at in the order of their names, each as if those before it that may were
// un-cordoned already.
func gateUncordons(plans []NodePlan, budget int64) {
	used := int64(0)
	for _, p := range plans {
		if !p.Cordoned && len(p.Want) == 0 {
			used = plus(used, p.GPUs)
		}
	}
	for i := range plans {
		p := &plans[i]
		if len(p.Marks) == 0 || !p.Cordoned {
			continue
		}
		over := Gate{Code: GateRecovered, Open: len(p.Want) == 0, Evidence: "what it was cordoned for is over"}
		if !over.Open {
			over.Evidence = "not known to be over: " + join(p.Want)
		}
		within := budgetGate(used, p.GPUs, budget)
		p.Gates = []Gate{over, within}
		switch {
		case !over.Open:
		case within.Open:
			used = plus(used, p.GPUs)
		default:
			p.Want = p.Marks
		}
	}
}

func budgetGate(used, adds, budget int64) Gate {
	after := plus(used, adds)
	g := Gate{Code: GateBudget, Open: true, Evidence: "no budget is set"}
	if budget <= 0 {
		return g
	}
	g.Open = adds <= 0 || after <= budget
	g.Warning = g.Open && float64(after)*100 >= float64(budget)*warnAt
	g.Evidence = fmt.Sprintf("%d of %d GPUs of the budget with this node", after, budget)
	return g
}

func join(marks []Mark) string {
	var all []string
	for _, m := range marks {
		all = append(all, string(m))
	}
	return strings.Join(all, ", ")
}

// plus adds numbers that a cluster has stated: they may be anything.
func plus(a, b int64) int64 {
	if b = max(b, 0); a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}
