package agent

import (
	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/watch"
	"github.com/openova-io/failoverd/lease"
)

// GPUs are watched by somebody, who tells what was found last. Found does not block.
type GPUs interface{ Found() watch.Found }

// A GPUsStatus is what is known of the GPUs.
type GPUsStatus struct {
	Source  string      `json:"source"`
	Trouble string      `json:"trouble,omitempty"` // why the last reading failed
	GPUs    []GPUStatus `json:"gpus"`
}

// A GPUStatus is what is known of one GPU. What the source does not have is left out.
type GPUStatus struct {
	UUID      string           `json:"uuid"`
	Index     int              `json:"index"`
	Model     string           `json:"model,omitempty"`
	Node      string           `json:"node"`
	Condition gpu.Condition    `json:"condition"`
	Since     float64          `json:"since_seconds"`
	Causes    []GPUCauseStatus `json:"causes,omitempty"`
	ReadAge   float64          `json:"read_age_seconds"` // of what follows

	Utilisation *float64 `json:"utilisation_percent,omitempty"`
	MemoryUsed  *float64 `json:"memory_used_mib,omitempty"`
	MemoryFree  *float64 `json:"memory_free_mib,omitempty"`
	Temperature *float64 `json:"temperature_celsius,omitempty"`
	Power       *float64 `json:"power_watts,omitempty"`
	SMClock     *float64 `json:"sm_clock_mhz,omitempty"`
	XIDs        []int    `json:"xids,omitempty"`
}

// A GPUCauseStatus is why a GPU is unhealthy.
type GPUCauseStatus struct {
	Cause  gpu.Cause `json:"cause"`
	Since  float64   `json:"since_seconds"`
	Detail string    `json:"detail,omitempty"`
}

// gpusStatus is the status of GPUs that are watched; nil if none is.
func gpusStatus(g GPUs, now lease.Instant) *GPUsStatus {
	if g == nil {
		return nil
	}
	found := g.Found()
	status := &GPUsStatus{Source: found.Source, Trouble: found.Trouble, GPUs: []GPUStatus{}}
	if !found.Asked {
		status.Trouble = "it has not been read yet"
	}
	since := func(t lease.Instant) float64 { return max(0, now.Sub(t)).Seconds() }
	number := func(v gpu.Value) *float64 {
		if !v.Known {
			return nil
		}
		return &v.Number
	}
	for _, s := range found.States {
		r := s.Reading
		one := GPUStatus{
			UUID: s.UUID, Index: s.Index, Model: s.Model, Node: s.Node, Condition: s.Condition, Since: since(s.Since), ReadAge: since(s.Read),
			Utilisation: number(r.Utilisation), MemoryUsed: number(r.MemoryUsed), MemoryFree: number(r.MemoryFree),
			Temperature: number(r.Temperature), Power: number(r.Power), SMClock: number(r.SMClock), XIDs: r.XIDs.Numbers,
		}
		for _, c := range s.Causes {
			one.Causes = append(one.Causes, GPUCauseStatus{c.Cause, since(c.Since), c.Detail})
		}
		status.GPUs = append(status.GPUs, one)
	}
	return status
}
