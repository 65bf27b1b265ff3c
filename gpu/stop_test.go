package gpu_test

import (
	"slices"
	"testing"

	"github.com/openova-io/failoverd/gpu"
)

func TestStops(t *testing.T) {
	job := gpu.Pod{Node: "ill", Asks: true, Matches: true}
	none := func(gpu.Pod) bool { return false }
	for _, test := range []struct {
		name   string
		change func(*gpu.Pod) // of the owner's second pod
		budget func(gpu.Pod) bool
		stops  bool
	}{
		{"all leave", func(p *gpu.Pod) {}, none, true},
		{"one is above the priority", func(p *gpu.Pod) { p.Priority = 1001 }, none, false},
		{"one does not match", func(p *gpu.Pod) { p.Matches = false }, none, false},
		{"one is on a node that can't be left", func(p *gpu.Pod) { p.Node = "well" }, none, false},
		{"one has claims only", func(p *gpu.Pod) { p.Asks, p.Claims = false, true }, none, false},
		{"one is of a DaemonSet", func(p *gpu.Pod) { p.DaemonSet = true }, none, false},
		{"one is a mirror", func(p *gpu.Pod) { p.Mirror = true }, none, false},
		{"one is finished", func(p *gpu.Pod) { p.Finished = true }, none, true},
		{"one is leaving", func(p *gpu.Pod) { p.Terminating = true }, none, true},
		{"one is on no node", func(p *gpu.Pod) { p.Node = "" }, none, true},
		{"one is on no node, above the priority", func(p *gpu.Pod) { p.Node, p.Priority = "", 1001 }, none, false},
		{"one has no GPU", func(p *gpu.Pod) { p.Asks = false }, none, true},
		{"one has no GPU, above the priority", func(p *gpu.Pod) { p.Asks, p.Priority = false, 1001 }, none, false},
		{"one has no GPU and does not match", func(p *gpu.Pod) { p.Asks, p.Matches = false, false }, none, false},
		{"a budget for one that leaves", func(p *gpu.Pod) {}, func(p gpu.Pod) bool { return p.Name == "first" }, false},
		{"a budget for one without a GPU", func(p *gpu.Pod) { p.Asks = false }, func(p gpu.Pod) bool { return p.Name == "second" }, false},
		{"a budget for somebody else's", func(p *gpu.Pod) {}, func(p gpu.Pod) bool { return p.Name == "other" }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			first, second, other, alone := job, job, job, job
			first.Name, second.Name, other.Name, alone.Name = "first", "second", "other", "alone"
			test.change(&second)
			owners := map[string][]string{"first": {"owner"}, "second": {"owner"}, "other": {"another"}}
			var want []string
			if test.stops {
				want = []string{"owner"}
			}
			s := gpu.Select([]gpu.Pod{second, alone, other, first}, leaves("ill"), 1000)
			got := gpu.Stops(s, 1000, func(p gpu.Pod) []string { return owners[p.Name] }, test.budget)
			if got := slices.DeleteFunc(got, func(o string) bool { return o == "another" }); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// TestStopsOrder has owners stopped in the order in which their pods leave, each once, and none of which no pod leaves.
func TestStopsOrder(t *testing.T) {
	var pods []gpu.Pod
	for i, owner := range []string{"c", "a", "b", "a"} {
		pods = append(pods, gpu.Pod{Name: owner, Priority: int64(10 * i), Node: "ill", Asks: true, Matches: true})
	}
	pods = append(pods, gpu.Pod{Name: "idle", Asks: true, Matches: true})
	s := gpu.Select(pods, leaves("ill"), 1000)
	got := gpu.Stops(s, 1000, func(p gpu.Pod) []string { return []string{p.Name} }, func(gpu.Pod) bool { return false })
	if want := []string{"c", "a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
