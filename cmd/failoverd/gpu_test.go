package main

import (
	"strings"
	"testing"

	"github.com/openova-io/failoverd/agent"
	"github.com/openova-io/failoverd/gpu"
)

func TestPrintGPUs(t *testing.T) {
	used, hot := 80000.0, 91.0
	for _, tt := range []struct {
		name string
		gpus *agent.GPUsStatus
		want string
	}{
		{"nobody watches", nil, ""},
		{"none", &agent.GPUsStatus{Source: "dcgm"}, "\nGPUs, by dcgm: none\n"},
		{"no library", &agent.GPUsStatus{Source: "dcgm", Trouble: "no library"}, "\nGPUs, by dcgm: nothing new is known: no library\n"},
		{"two", &agent.GPUsStatus{Source: "dcgm", GPUs: []agent.GPUStatus{
			{Node: "gpu-1", Condition: gpu.Unknown, Since: 5},
			{Node: "gpu-1", Index: 1, Condition: gpu.Unhealthy, Since: 70, MemoryUsed: &used, Temperature: &hot, Causes: []agent.GPUCauseStatus{{Cause: gpu.ThermalThrottling, Detail: "91 °C"}}},
		}}, `
GPUs, by dcgm:
NODE   GPU  CONDITION  FOR    USED       TEMPERATURE  CAUSES
gpu-1  0    unknown    5.0 s  ?          ?            
gpu-1  1    unhealthy  1m10s  80000 MiB  91 °C        thermal_throttling (91 °C)
`},
	} {
		var out strings.Builder
		printGPUs(&out, tt.gpus)
		if got := out.String(); got != tt.want {
			t.Errorf("%s: got\n%q\nwant\n%q", tt.name, got, tt.want)
		}
	}
}
