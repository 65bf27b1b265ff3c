package gpu_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/openova-io/failoverd/gpu"
)

func state(node string, c gpu.Condition, causes ...gpu.Cause) gpu.State {
	s := gpu.State{Device: gpu.Device{Node: node}, Condition: c}
	for _, cause := range causes {
		s.Causes = append(s.Causes, gpu.CauseState{Cause: cause})
	}
	return s
}

func TestPlanNode(t *testing.T) {
	type marks = []gpu.Mark
	full, fatal := state("n", gpu.Unhealthy, gpu.MemoryPressure), state("n", gpu.Unhealthy, gpu.MemoryPressure, gpu.FatalXID)
	well, unknown := state("n", gpu.Healthy), state("n", gpu.Unknown)
	for _, test := range []struct {
		name   string
		gpus   int64
		marks  marks
		states []gpu.State
		region gpu.Condition
		pace   gpu.Pace
		want   marks
	}{
		{"all well", 8, nil, []gpu.State{well, well}, gpu.Healthy, gpu.Stay, nil},
		{"nothing known", 8, nil, nil, gpu.Unknown, gpu.Stay, nil},
		{"a GPU unknown", 8, nil, []gpu.State{unknown, well}, gpu.Healthy, gpu.Stay, nil},
		{"memory full", 8, nil, []gpu.State{well, full}, gpu.Healthy, gpu.OneByOne, marks{gpu.MarkGPU}},
		{"a fatal error", 8, nil, []gpu.State{full, fatal, full}, gpu.Unknown, gpu.AtOnce, marks{gpu.MarkGPU}},
		{"one unhealthy, the rest unknown", 8, nil, []gpu.State{unknown, full}, gpu.Healthy, gpu.OneByOne, marks{gpu.MarkGPU}},
		{"the region is degraded", 8, nil, nil, gpu.Unhealthy, gpu.AtOnce, marks{gpu.MarkRegion}},
		{"a node without GPUs in it", 0, nil, nil, gpu.Unhealthy, gpu.Stay, nil},
		{"both", 8, nil, []gpu.State{full}, gpu.Unhealthy, gpu.AtOnce, marks{gpu.MarkGPU, gpu.MarkRegion}},
		{"cordoned, and unknown by now", 8, marks{gpu.MarkGPU}, []gpu.State{unknown}, gpu.Healthy, gpu.Stay, marks{gpu.MarkGPU}},
		{"cordoned, and nobody tells any more", 8, marks{gpu.MarkGPU}, nil, gpu.Healthy, gpu.Stay, marks{gpu.MarkGPU}},
		{"cordoned, one well and one unknown", 8, marks{gpu.MarkGPU}, []gpu.State{well, unknown}, gpu.Healthy, gpu.Stay, marks{gpu.MarkGPU}},
		{"cordoned, and well", 8, marks{gpu.MarkGPU}, []gpu.State{well, well}, gpu.Unknown, gpu.Stay, nil},
		{"the region has recovered, its GPU has not", 8, marks{gpu.MarkGPU, gpu.MarkRegion}, []gpu.State{full}, gpu.Healthy, gpu.OneByOne, marks{gpu.MarkGPU}},
		{"the region may have recovered", 8, marks{gpu.MarkRegion}, []gpu.State{well}, gpu.Unknown, gpu.Stay, marks{gpu.MarkRegion}},
		{"its GPUs are gone", 0, marks{gpu.MarkRegion}, nil, gpu.Unhealthy, gpu.Stay, marks{gpu.MarkRegion}},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := gpu.Node{Name: "n", GPUs: test.gpus, Marks: test.marks, Cordoned: len(test.marks) > 0}
			got := gpu.Plan([]gpu.Node{n}, test.states, test.region, 0)[0]
			if got.Pace != test.pace || !slices.Equal(got.Want, test.want) {
				t.Errorf("got pace %d, marks %v; want %d, %v", got.Pace, got.Want, test.pace, test.want)
			}
		})
	}
}

// TestBudget un-cordons as many nodes as the budget has room for.
func TestBudget(t *testing.T) {
	for _, test := range []struct {
		budget         int64
		uncordoned     int
		warned, closed int
	}{
		{0, 9, 0, 0}, {1000, 9, 0, 0}, {80, 9, 3, 0}, {79, 8, 2, 1}, {40, 4, 2, 5}, {8, 0, 0, 9}, {1, 0, 0, 9},
	} {
		t.Run(fmt.Sprint(test.budget), func(t *testing.T) {
			nodes := []gpu.Node{{Name: "in use", GPUs: 8}, {Name: "somebody's", GPUs: 800, Cordoned: true}}
			var states []gpu.State
			for i := range 9 {
				name := fmt.Sprint(i)
				nodes = append(nodes, gpu.Node{Name: name, GPUs: 8, Cordoned: true, Marks: []gpu.Mark{gpu.MarkGPU}})
				states = append(states, state(name, gpu.Healthy))
			}
			uncordoned, warned, closed := 0, 0, 0
			for _, p := range gpu.Plan(nodes, states, gpu.Healthy, test.budget) {
				if len(p.Marks) > 0 && len(p.Want) == 0 {
					uncordoned++
				}
				for _, g := range p.Gates {
					if g.Warning {
						warned++
					}
					if !g.Open {
						closed++
					}
				}
			}
			if uncordoned != test.uncordoned || warned != test.warned || closed != test.closed {
				t.Errorf("got %d un-cordoned, %d warnings, %d closed; want %d, %d, %d", uncordoned, warned, closed, test.uncordoned, test.warned, test.closed)
			}
		})
	}
}
