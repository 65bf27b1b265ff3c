package gpu_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/openova-io/failoverd/gpu"
)

func leaves(nodes ...string) func(string) bool {
	return func(node string) bool { return slices.Contains(nodes, node) }
}

func TestSelect(t *testing.T) {
	job := gpu.Pod{Namespace: "jobs", Name: "a", UID: "1", Node: "ill", Asks: true, Matches: true, Priority: 1000}
	for _, test := range []struct {
		name   string
		change func(*gpu.Pod)
		want   gpu.Keep
	}{
		{"a job", func(p *gpu.Pod) {}, ""},
		{"no priority", func(p *gpu.Pod) { p.Priority = 0 }, ""},
		{"a negative priority", func(p *gpu.Pod) { p.Priority = -10 }, ""},
		{"a claim beside", func(p *gpu.Pod) { p.Claims = true }, ""},
		{"a priority above", func(p *gpu.Pod) { p.Priority = 1001 }, gpu.KeepPriority},
		{"no GPU", func(p *gpu.Pod) { p.Asks = false }, gpu.KeepNoGPU},
		{"a claim only", func(p *gpu.Pod) { p.Asks, p.Claims = false, true }, gpu.KeepClaim},
		{"another node", func(p *gpu.Pod) { p.Node = "well" }, gpu.KeepElsewhere},
		{"no node", func(p *gpu.Pod) { p.Node = "" }, gpu.KeepUnscheduled},
		{"other labels", func(p *gpu.Pod) { p.Matches = false }, gpu.KeepSelector},
		{"of a DaemonSet", func(p *gpu.Pod) { p.DaemonSet = true }, gpu.KeepDaemonSet},
		{"a mirror", func(p *gpu.Pod) { p.Mirror = true }, gpu.KeepMirror},
		{"finished", func(p *gpu.Pod) { p.Finished = true }, gpu.KeepFinished},
		{"terminating", func(p *gpu.Pod) { p.Terminating = true }, gpu.KeepTerminating},
		{"terminating, with a priority above", func(p *gpu.Pod) { p.Terminating, p.Priority = true, 1001 }, gpu.KeepPriority},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := job
			test.change(&p)
			s := gpu.Select([]gpu.Pod{p}, leaves("ill"), 1000)
			if test.want == "" && (len(s.Evict) != 1 || len(s.Kept) != 0) {
				t.Errorf("got %+v, want it evicted", s)
			}
			if test.want != "" && (len(s.Evict) != 0 || len(s.Kept) != 1 || s.Kept[0].Why != test.want) {
				t.Errorf("got %+v, want it left: %s", s, test.want)
			}
		})
	}
}

// FuzzSelect draws pods: each is in one of the two lists, in order, and those that leave
// are on a node that is to be left and of a priority that may be evicted, whatever the
// order in which the pods came.
func FuzzSelect(f *testing.F) {
	for seed := range uint64(50) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 1))
		nodes := []string{"ill", "well", ""}
		most := int64(rng.IntN(5))
		pods := make([]gpu.Pod, rng.IntN(60))
		for i := range pods {
			flag := func() bool { return rng.IntN(6) == 0 }
			pods[i] = gpu.Pod{
				Namespace: fmt.Sprint(rng.IntN(3)), Name: fmt.Sprint(rng.IntN(9)), UID: fmt.Sprint(i), Node: nodes[rng.IntN(3)], Priority: int64(rng.IntN(8) - 2),
				Asks: !flag(), Claims: flag(), Matches: !flag(), DaemonSet: flag(), Mirror: flag(), Finished: flag(), Terminating: flag(),
			}
		}
		got := gpu.Select(pods, leaves("ill"), most)
		if len(got.Evict)+len(got.Kept) != len(pods) {
			t.Fatalf("got %d evicted and %d left of %d", len(got.Evict), len(got.Kept), len(pods))
		}
		for i, p := range got.Evict {
			if p.Node != "ill" || p.Priority > most || !p.Asks || !p.Matches || p.DaemonSet || p.Mirror || p.Finished || p.Terminating {
				t.Errorf("evicts %+v", p)
			}
			if i > 0 && got.Evict[i-1].Priority > p.Priority {
				t.Errorf("%+v leaves after %+v", p, got.Evict[i-1])
			}
		}
		for _, p := range got.Kept {
			if !slices.Contains(gpu.Keeps, p.Why) {
				t.Errorf("left for %q, which is no reason", p.Why)
			}
		}
		rng.Shuffle(len(pods), func(i, j int) { pods[i], pods[j] = pods[j], pods[i] })
		if again := gpu.Select(pods, leaves("ill"), most); !slices.Equal(again.Evict, got.Evict) {
			t.Errorf("in another order: got %+v, want %+v", again.Evict, got.Evict)
		}
	})
}
