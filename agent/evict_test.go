package agent

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/lease"
)

// evictions is an Evictions that says what they are.
type evictions gpu.Evictions

func (e evictions) Found() gpu.Evictions { return gpu.Evictions(e) }

// TestEvictionsStatus shows what scripts rest on.
func TestEvictionsStatus(t *testing.T) {
	at := func(s int) lease.Instant { return lease.Instant(0).Add(time.Duration(s) * time.Second) }
	pod := gpu.Pod{Namespace: "jobs", Name: "a", UID: "1", Node: "gpu-1", Priority: -1, Asks: true}
	for _, tt := range []struct {
		name string
		e    Evictions
		want string
	}{
		{"nobody evicts", nil, `null`},
		{"not yet", evictions{}, `{"passed":false,"pass_age_seconds":0,"nodes":[],"blocked":[],"waiting":0,"draining":0,"kept":{},"stopped":[],"evicted":0}`},
		{"nothing to do, and no API server", evictions{Passed: true, At: at(18), Trouble: "gone", Report: gpu.Report{Absent: []string{"x"}}},
			`{"passed":true,"pass_age_seconds":2,"trouble":"gone","nodes":[],"blocked":[],"waiting":0,"draining":0,"kept":{},"stopped":[],"absent":["x"],"evicted":0}`},
		{"all of it", evictions{Passed: true, At: at(18), Total: 7, Recent: []gpu.Evicted{{Pod: pod, At: at(10)}}, Report: gpu.Report{
			Nodes: []gpu.NodePlan{
				{Node: gpu.Node{Name: "gpu-1"}, Pace: gpu.AtOnce, Want: []gpu.Mark{gpu.MarkRegion}},
				{Node: gpu.Node{Name: "theirs", Cordoned: true}, Pace: gpu.OneByOne, Want: []gpu.Mark{gpu.MarkGPU}},
				{Node: gpu.Node{Name: "over", Cordoned: true, Marks: []gpu.Mark{gpu.MarkGPU}}}, // un-cordoned by the pass
				{Node: gpu.Node{Name: "kept", Cordoned: true, Marks: []gpu.Mark{gpu.MarkGPU}}, Want: []gpu.Mark{gpu.MarkGPU}, Gates: []gpu.Gate{{Code: gpu.GateBudget, Evidence: "full"}}},
			},
			Blocked: []gpu.Blocked{{Pod: pod, Budget: "b", Why: "no", For: time.Second}}, Waiting: 2, Draining: 3,
			Kept: map[gpu.Keep]int{gpu.KeepPriority: 4}, Stopped: []gpu.Stopped{{Kind: "workloads", Namespace: "jobs", Name: "w"}},
		}}, `{"passed":true,"pass_age_seconds":2,"nodes":[{"name":"gpu-1","leave":"at_once","cordoned_for":["region"]},` +
			`{"name":"theirs","leave":"one_by_one","cordoned_for":[]},` +
			`{"name":"kept","cordoned_for":["gpu"],"gates":[{"code":"budget","open":false,"evidence":"full"}]}],` +
			`"blocked":[{"namespace":"jobs","name":"a","node":"gpu-1","priority":-1,"budget":"b","why":"no","since_seconds":3}],"waiting":2,"draining":3,` +
			`"kept":{"priority":4},"stopped":[{"kind":"workloads","namespace":"jobs","name":"w"}],"evicted":7,` +
			`"recent":[{"namespace":"jobs","name":"a","node":"gpu-1","priority":-1,"age_seconds":10}]}`},
	} {
		got, err := json.Marshal(evictionsStatus(tt.e, at(20)))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got\n%s (%v)\nwant\n%s", tt.name, got, err, tt.want)
		}
	}
}
