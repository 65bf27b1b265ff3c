package gpu

import (
	"fmt"
	"strings"
	"time"
)

// A Cause is a reason for which a GPU is unhealthy.
type Cause string

const (
	ThermalThrottling   Cause = "thermal_throttling"
	MemoryPressure      Cause = "memory_pressure"
	FatalXID            Cause = "xid_fatal"
	UncorrectableErrors Cause = "uncorrectable_errors"
	HealthWatch         Cause = "health_watch"
)

// Causes are all causes, in the order in which they are told.
var Causes = []Cause{FatalXID, UncorrectableErrors, HealthWatch, ThermalThrottling, MemoryPressure}

// A finding is what one reading says of one cause.
type finding int

const (
	notKnown finding = iota
	well
	between // the two thresholds: what was, goes on
	ill
)

// Thresholds. Of two, the first makes ill and the second well again.
const (
	hot, cool   = 90, 85     // °C, where the source does not tell throttling itself or tells none
	full, roomy = 0.98, 0.95 // of the memory: frameworks that take nearly all of it on purpose leave more
)

// A rule says how a cause is found, and for how long the readings have to say so.
type rule struct {
	cause     Cause
	illAfter  time.Duration // that all readings find it ill
	wellAfter time.Duration // that all readings find it well
	look      func(Reading) (finding, string)
}

var rules = []rule{
	{FatalXID, 0, time.Minute, lookXID},
	{UncorrectableErrors, 0, time.Minute, lookUncorrectable},
	// DCGM tells an incident when it happens, and then no more.
	{HealthWatch, 0, 5 * time.Minute, lookWatches},
	{ThermalThrottling, 10 * time.Second, time.Minute, lookThermal},
	// Short: evictions for it are to end when it does.
	{MemoryPressure, 30 * time.Second, 10 * time.Second, lookMemory},
}

func lookXID(r Reading) (finding, string) {
	if !r.XIDs.Known {
		return notKnown, ""
	}
	var fatal []string
	for _, x := range r.XIDs.Numbers {
		if ClassOfXID(x) == XIDFatal {
			fatal = append(fatal, fmt.Sprint("XID ", x))
		}
	}
	if len(fatal) > 0 {
		return ill, strings.Join(fatal, ", ")
	}
	return well, ""
}

func lookUncorrectable(r Reading) (finding, string) {
	switch {
	case r.RemapFailed.Known && r.RemapFailed.Number > 0:
		return ill, "a row of memory could not be replaced"
	case r.Uncorrectable.Known && r.Uncorrectable.Number > 0:
		return ill, fmt.Sprintf("%.0f double bit ECC errors", r.Uncorrectable.Number)
	case r.RemapFailed.Known || r.Uncorrectable.Known:
		return well, ""
	}
	return notKnown, ""
}

func lookWatches(r Reading) (finding, string) {
	switch {
	case !r.Watches.Known:
		return notKnown, ""
	case len(r.Watches.Failures) > 0:
		return ill, strings.Join(r.Watches.Failures, "; ")
	}
	return well, ""
}

func lookThermal(r Reading) (finding, string) {
	t := r.Temperature
	throttled := r.ThrottleReasons.Known && uint64(r.ThrottleReasons.Number)&(throttleSWThermal|throttleHWThermal) != 0
	switch {
	case throttled && t.Known:
		return ill, fmt.Sprintf("the clocks are held down for heat, at %.0f °C", t.Number)
	case throttled:
		return ill, "the clocks are held down for heat"
	case !t.Known && !r.ThrottleReasons.Known:
		return notKnown, ""
	case t.Known && t.Number >= hot:
		return ill, fmt.Sprintf("%.0f °C", t.Number)
	case t.Known && t.Number > cool:
		return between, ""
	}
	return well, ""
}

func lookMemory(r Reading) (finding, string) {
	total := r.MemoryUsed.Number + r.MemoryFree.Number
	if !r.MemoryUsed.Known || !r.MemoryFree.Known || total <= 0 {
		return notKnown, ""
	}
	switch share := r.MemoryUsed.Number / total; {
	case share >= full:
		return ill, fmt.Sprintf("%.1f%% of %.0f MiB used", share*100, total)
	case share > roomy:
		return between, ""
	}
	return well, ""
}
