package daemon_test

import (
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
)

func TestLeaks(t *testing.T) {
	room := daemon.Weight{Goroutines: 20, Handles: 20, Memory: 8}
	for name, tt := range map[string]struct {
		of   func(i int) daemon.Weight // the i-th of 100
		want int
	}{
		"flat":       {func(int) daemon.Weight { return daemon.Weight{30, 20, 40} }, 0},
		"warming up": {func(i int) daemon.Weight { return daemon.Weight{30, 20, 40 + float64(min(i, 25))} }, 0},
		"now this, now that": {func(i int) daemon.Weight {
			return daemon.Weight{30 + float64(i%7)*10, 20 + float64(i%5)*10, 40 + float64(i%3)*10}
		}, 0},
		"a goroutine for each": {func(i int) daemon.Weight { return daemon.Weight{30 + float64(i), 20, 40} }, 1},
		"a handle for each":    {func(i int) daemon.Weight { return daemon.Weight{30, 20 + float64(i), 40} }, 1},
		"half a MiB for each":  {func(i int) daemon.Weight { return daemon.Weight{30, 20, 40 + float64(i)/2} }, 1},
		"all, and up and down": {func(i int) daemon.Weight {
			return daemon.Weight{30 + float64(i+i%7), 20 + float64(i+i%5), 40 + float64(i+i%3)}
		}, 3},
		"two goroutines in sixty": {func(i int) daemon.Weight { return daemon.Weight{30 + float64(i/30), 20, 40} }, 0},
	} {
		var weights []daemon.Weight
		for i := range 100 {
			weights = append(weights, tt.of(i))
		}
		if got := daemon.Leaks(weights, room); len(got) != tt.want {
			t.Errorf("%s: %q, want %d", name, got, tt.want)
		}
		if got := daemon.Leaks(weights[:7], room); got != nil {
			t.Errorf("%s: seven of them: %q, want nothing", name, got)
		}
	}
}
