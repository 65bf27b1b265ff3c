package agent

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/watch"
	"github.com/openova-io/failoverd/lease"
)

// found is a GPUs that says what it is.
type found watch.Found

func (f found) Found() watch.Found { return watch.Found(f) }

// TestGPUsStatus shows what scripts rest on: what is not known is not there, and never 0.
func TestGPUsStatus(t *testing.T) {
	at := func(s int) lease.Instant { return lease.Instant(0).Add(time.Duration(s) * time.Second) }
	for _, tt := range []struct {
		name string
		gpus GPUs
		want string
	}{
		{"nobody watches", nil, `null`},
		{"not yet", found{Source: "dcgm"}, `{"source":"dcgm","trouble":"it has not been read yet","gpus":[]}`},
		{"no GPU", found{Source: "dcgm", Asked: true}, `{"source":"dcgm","gpus":[]}`},
		{"trouble", found{Source: "dcgm", Asked: true, Trouble: "gone", States: []gpu.State{{
			Device: gpu.Device{UUID: "GPU-0", Node: "gpu-1"}, Condition: gpu.Unknown, Since: at(10), Read: at(4),
		}}}, `{"source":"dcgm","trouble":"gone","gpus":[{"uuid":"GPU-0","index":0,"node":"gpu-1","condition":"unknown","since_seconds":10,"read_age_seconds":16}]}`},
		{"unhealthy", found{Source: "dcgm", Asked: true, States: []gpu.State{{
			Device: gpu.Device{UUID: "GPU-0", Index: 3, Model: "H100", Node: "gpu-1"}, Condition: gpu.Unhealthy, Since: at(10), Read: at(20),
			Causes:  []gpu.CauseState{{Cause: gpu.FatalXID, Since: at(9), Detail: "XID 79"}},
			Reading: gpu.Reading{Utilisation: gpu.Known(0), Temperature: gpu.Known(41), XIDs: gpu.XIDs{Known: true, Numbers: []int{79}}},
		}}}, `{"source":"dcgm","gpus":[{"uuid":"GPU-0","index":3,"model":"H100","node":"gpu-1","condition":"unhealthy","since_seconds":10,` +
			`"causes":[{"cause":"xid_fatal","since_seconds":11,"detail":"XID 79"}],"read_age_seconds":0,"utilisation_percent":0,"temperature_celsius":41,"xids":[79]}]}`},
	} {
		got, err := json.Marshal(gpusStatus(tt.gpus, at(20)))
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: got\n%s (%v)\nwant\n%s", tt.name, got, err, tt.want)
		}
	}
}
