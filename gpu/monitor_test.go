package gpu_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/lease"
)

const stale = 6 * time.Second

// cool is a reading in which all is well.
func cool() gpu.Reading {
	return gpu.Reading{
		Device:     gpu.Device{UUID: "GPU-0", Node: "gpu-1"},
		MemoryUsed: gpu.Known(1000), MemoryFree: gpu.Known(79000),
		Temperature:     gpu.Known(40),
		ThrottleReasons: gpu.Known(0), Uncorrectable: gpu.Known(0), RemapFailed: gpu.Known(0),
		XIDs: gpu.XIDs{Known: true}, Watches: gpu.Watches{Known: true},
	}
}

// with is cool, changed.
func with(change func(*gpu.Reading)) gpu.Reading {
	r := cool()
	change(&r)
	return r
}

var (
	at96     = with(func(r *gpu.Reading) { r.MemoryUsed, r.MemoryFree = gpu.Known(96), gpu.Known(4) })
	at99     = with(func(r *gpu.Reading) { r.MemoryUsed, r.MemoryFree = gpu.Known(99), gpu.Known(1) })
	at91     = with(func(r *gpu.Reading) { r.Temperature = gpu.Known(91) })
	at87     = with(func(r *gpu.Reading) { r.Temperature = gpu.Known(87) })
	slowed   = with(func(r *gpu.Reading) { r.ThrottleReasons = gpu.Known(0x40) })
	capped   = with(func(r *gpu.Reading) { r.ThrottleReasons = gpu.Known(0x4 | 0x8 | 0x80) })
	fallen   = with(func(r *gpu.Reading) { r.XIDs.Numbers = []int{31, 79, 43} })
	crashed  = with(func(r *gpu.Reading) { r.XIDs.Numbers = []int{13, 31, 43, 94} })
	ecc      = with(func(r *gpu.Reading) { r.Uncorrectable = gpu.Known(1) })
	remap    = with(func(r *gpu.Reading) { r.RemapFailed = gpu.Known(1) })
	watched  = with(func(r *gpu.Reading) { r.Watches.Failures = []string{"PCIe: replays"} })
	blank    = gpu.Reading{Device: cool().Device}
	heatOnly = with(func(r *gpu.Reading) { *r = gpu.Reading{Device: r.Device, Temperature: gpu.Known(40)} })
	noXIDs   = with(func(r *gpu.Reading) { r.XIDs = gpu.XIDs{} })
)

// TestConditions reads once a second, and tells at which second the condition changes.
func TestConditions(t *testing.T) {
	type run struct {
		reading *gpu.Reading // nil: the source fails
		seconds int
	}
	gone := run{nil, 30}
	for _, tt := range []struct {
		name string
		runs []run
		want string
	}{
		{"all is well", []run{{ptr(cool()), 90}}, "0 healthy"},
		{"never anything", []run{{&blank, 90}}, "0 unknown"},
		{"one value is enough", []run{{&heatOnly, 5}}, "0 healthy"},
		{"a cause that can't be told any more", []run{{&fallen, 5}, {&noXIDs, 100}, {ptr(cool()), 100}}, "0 unhealthy xid_fatal, 10 unknown, 165 healthy"},
		{"full memory", []run{{&at99, 60}, {&at96, 60}, {ptr(cool()), 60}}, "0 healthy, 30 unhealthy memory_pressure, 130 healthy"},
		{"full for too short", []run{{&at99, 29}, {&at96, 1}, {&at99, 29}, {&at96, 100}}, "0 healthy"},
		{"hot", []run{{&at91, 20}, {&at87, 100}, {ptr(cool()), 100}}, "0 healthy, 10 unhealthy thermal_throttling, 180 healthy"},
		{"warm", []run{{&at87, 100}}, "0 healthy"},
		{"throttled", []run{{&slowed, 20}, {ptr(cool()), 100}}, "0 healthy, 10 unhealthy thermal_throttling, 80 healthy"},
		{"power is no heat", []run{{&capped, 100}}, "0 healthy"},
		{"fallen off the bus", []run{{ptr(cool()), 5}, {&fallen, 500}}, "0 healthy, 5 unhealthy xid_fatal"},
		{"programs crash", []run{{&crashed, 100}}, "0 healthy"},
		{"ECC", []run{{&ecc, 5}, {ptr(cool()), 100}}, "0 unhealthy uncorrectable_errors, 65 healthy"},
		{"remapping", []run{{&remap, 5}}, "0 unhealthy uncorrectable_errors"},
		{"a health watch tells once", []run{{&watched, 1}, {ptr(cool()), 400}}, "0 unhealthy health_watch, 301 healthy"},
		{"the source fails", []run{{ptr(cool()), 5}, gone, {ptr(cool()), 5}}, "0 healthy, 10 unknown, 35 healthy"},
		{"it fails while ill, and finds it ill", []run{{&ecc, 5}, gone, {&ecc, 5}}, "0 unhealthy uncorrectable_errors, 10 unknown, 35 unhealthy uncorrectable_errors"},
		{"it fails while ill, and finds it well", []run{{&ecc, 5}, gone, {ptr(cool()), 100}}, "0 unhealthy uncorrectable_errors, 10 unknown, 95 healthy"},
		{"it fails while ill, and finds it between", []run{{&at99, 40}, gone, {&at96, 100}}, "0 healthy, 30 unhealthy memory_pressure, 45 unknown, 80 healthy"},
		{"it fails while it counts", []run{{&at99, 25}, gone, {&at99, 40}}, "0 healthy, 30 unknown, 55 healthy, 85 unhealthy memory_pressure"},
		{"a failure that is over soon", []run{{&at99, 40}, {nil, 4}, {&at99, 10}}, "0 healthy, 30 unhealthy memory_pressure"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := gpu.NewMonitor(stale)
			second, got, last := 0, "", ""
			for _, r := range tt.runs {
				for range r.seconds {
					now := lease.Instant(0).Add(time.Duration(second) * time.Second)
					if r.reading != nil {
						m.Read(now, []gpu.Reading{*r.reading})
					}
					is := describe(m.Judge(now))
					if is != last {
						got += fmt.Sprintf(", %d %s", second, is)
					}
					last = is
					second++
				}
			}
			if got = got[2:]; got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func describe(states []gpu.State) string {
	is := string(states[0].Condition)
	for _, c := range states[0].Causes {
		is += " " + string(c.Cause)
	}
	return is
}

func ptr(r gpu.Reading) *gpu.Reading { return &r }

// TestNothingFromNothing holds the rule on which eviction rests, over random readings,
// failures and gaps: a GPU becomes healthy or unhealthy only by a reading that is recent.
func TestNothingFromNothing(t *testing.T) {
	all := []gpu.Reading{cool(), at96, at99, at91, at87, slowed, fallen, crashed, ecc, remap, watched, blank, heatOnly, noXIDs}
	changes := map[gpu.Condition]int{}
	for seed := range uint64(2000) {
		rng := rand.New(rand.NewPCG(seed, 0))
		m := gpu.NewMonitor(stale)
		now, read := lease.Instant(0), false
		was := gpu.Unknown
		var readAt lease.Instant
		reading := all[0]
		for range 300 {
			now = now.Add(time.Duration(rng.IntN(1500)) * time.Millisecond)
			if rng.IntN(20) == 0 {
				now = now.Add(time.Duration(rng.IntN(40)) * time.Second)
			}
			if rng.IntN(15) == 0 {
				reading = all[rng.IntN(len(all))]
			}
			reads := rng.IntN(4) > 0
			if reads {
				m.Read(now, []gpu.Reading{reading})
				read, readAt = true, now
			}
			states := m.Judge(now)
			if !read {
				if len(states) > 0 {
					t.Fatalf("seed %d: got %v of a GPU that nobody has read", seed, states)
				}
				continue
			}
			is := states[0].Condition
			if is != was {
				changes[is]++
			}
			if is != gpu.Unknown && now.Sub(readAt) >= stale {
				t.Fatalf("seed %d: got %s %v after the last reading, want unknown", seed, is, now.Sub(readAt))
			}
			if is != was && is != gpu.Unknown && !reads {
				t.Fatalf("seed %d: got %s after %s with no reading", seed, is, was)
			}
			if is != gpu.Unhealthy && len(states[0].Causes) > 0 {
				t.Fatalf("seed %d: got causes %v of a GPU that is %s", seed, states[0].Causes, is)
			}
			was = is
		}
	}
	for _, c := range gpu.Conditions {
		if changes[c] < 1000 {
			t.Errorf("only %d changes to %s: the runs try too little", changes[c], c)
		}
	}
}

// TestDevices keeps GPUs apart, in order, and does not grow for ever.
func TestDevices(t *testing.T) {
	m := gpu.NewMonitor(stale)
	var readings []gpu.Reading
	for i := range 8 {
		r := cool()
		r.UUID, r.Index = fmt.Sprint("GPU-", 9-i), i
		if i == 3 {
			r.XIDs.Numbers = []int{79}
		}
		readings = append(readings, r)
	}
	slices.Reverse(readings)
	m.Read(0, readings)
	for i, s := range m.Judge(0) {
		if want := map[bool]gpu.Condition{true: gpu.Unhealthy, false: gpu.Healthy}[i == 3]; s.Index != i || s.Condition != want || s.Has(gpu.FatalXID) != (i == 3) {
			t.Errorf("GPU %d: got %+v, want index %d and %s", i, s, i, want)
		}
	}
	// One that is not there any more is unknown.
	later := lease.Instant(0).Add(10 * time.Second)
	m.Read(later, readings[1:])
	if got := m.Judge(later)[7]; got.Condition != gpu.Unknown {
		t.Errorf("got %s, want unknown: nothing is read of it", got.Condition)
	}
	for i := range 10_000 {
		r := cool()
		r.UUID = fmt.Sprint("GPU-new-", i)
		m.Read(later, []gpu.Reading{r})
		later = later.Add(time.Millisecond)
	}
	if got := len(m.Judge(later)); got > 600 {
		t.Errorf("got %d GPUs after 10000 that came and went, want at most about 512", got)
	}
}
