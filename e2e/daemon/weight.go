package daemon

import (
	"bufio"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// A Weight is what a process takes.
type Weight struct{ Goroutines, Handles, Memory float64 } // Memory is what is resident, in MiB

// Weigh asks the region's agent.
func (r *Region) Weigh(tb testing.TB) (w Weight) {
	tb.Helper()
	req, err := http.NewRequestWithContext(tb.Context(), http.MethodGet, "http://"+r.address+"/metrics", nil)
	if err != nil {
		tb.Fatalf("daemon: %v", err)
	}
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: Patience}).Do(req)
	if err != nil {
		tb.Fatalf("daemon: weigh %s: %v", r.Name, err)
	}
	defer resp.Body.Close()
	found := 0
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		for name, to := range map[string]*float64{"go_goroutines": &w.Goroutines, "process_open_fds": &w.Handles, "process_resident_memory_bytes": &w.Memory} {
			if value, is := strings.CutPrefix(lines.Text(), name+" "); is {
				if _, err := fmt.Sscan(value, to); err == nil {
					found++
				}
			}
		}
	}
	if err := lines.Err(); err != nil || found != 3 {
		tb.Fatalf("daemon: weigh %s: /metrics has %d of the 3 figures that are wanted, %v", r.Name, found, err)
	}
	w.Memory /= 1 << 20
	return w
}

func (w Weight) String() string {
	return fmt.Sprintf("%.0f goroutines, %.0f handles, %.0f MiB", w.Goroutines, w.Handles, w.Memory)
}

// Leaks says what a process has ever more of: its least in the last quarter is above its most in the second by more than
// room. In the first it warms up. Fewer than eight weights tell nothing.
func Leaks(weights []Weight, room Weight) (all []string) {
	n := len(weights)
	if n < 8 {
		return nil
	}
	for _, of := range []struct {
		name string
		in   func(Weight) float64
	}{
		{"goroutines", func(w Weight) float64 { return w.Goroutines }},
		{"handles", func(w Weight) float64 { return w.Handles }},
		{"MiB of memory", func(w Weight) float64 { return w.Memory }},
	} {
		var seen []float64
		for _, w := range weights {
			seen = append(seen, of.in(w))
		}
		most, least := slices.Max(seen[n/4:n/2]), slices.Min(seen[n-n/4:])
		if least > most+of.in(room) {
			all = append(all, fmt.Sprintf("ever more %s: %.0f at the most in the second quarter, %.0f at the least in the last", of.name, most, least))
		}
	}
	return all
}
