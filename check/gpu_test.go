package check

import (
	"context"
	"errors"
	"testing"

	"github.com/openova-io/failoverd/gpu"
)

// source reads what it is told.
type source struct {
	readings []gpu.Reading
	err      error
}

func (s source) Read(context.Context) ([]gpu.Reading, error) { return s.readings, s.err }
func (source) Close()                                        {}

func TestGPUs(t *testing.T) {
	one := gpu.Reading{Device: gpu.Device{UUID: "GPU-0", Node: "gpu-1"}, XIDs: gpu.XIDs{Known: true, Numbers: []int{31}}}
	fallen := one
	fallen.XIDs.Numbers = []int{31, 79}
	for _, tt := range []struct {
		name   string
		source source
		want   []string
	}{
		{"well", source{readings: []gpu.Reading{one}}, []string{"ok       GPUs, by dcgm: it reads 1 GPUs of node gpu-1"}},
		{"fallen off the bus", source{readings: []gpu.Reading{fallen}}, []string{
			"ok       GPUs, by dcgm: it reads 1 GPUs of node gpu-1",
			"warning  GPUs, by dcgm, GPU 0 (GPU-0): XID 79, which is fatal; reset the GPU, or replace it, and restart the host engine",
		}},
		{"none", source{}, []string{"warning  GPUs, by dcgm: it has no GPU: none is watched; set gpu.enabled to false if that is so"}},
		{"no library", source{err: errors.New("no library")}, []string{"problem  GPUs, by dcgm: no library"}},
	} {
		l := &live{Config: Config{GPUs: &GPUs{Name: "dcgm", Source: tt.source}}}
		got := l.askGPUs(t.Context())
		if len(got) != len(tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, got, tt.want)
			continue
		}
		for i, f := range got {
			if f.String() != tt.want[i] {
				t.Errorf("%s: got %q, want %q", tt.name, f, tt.want[i])
			}
		}
	}
}
