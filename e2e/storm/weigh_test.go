package storm

import (
	"bufio"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// A weight is what an instance's process takes.
type weight struct{ goroutines, handles, memory float64 } // memory in MiB

// weigh asks an instance.
func weigh(t *testing.T, i *instance) (of weight) {
	t.Helper()
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get("http://" + i.Address() + "/metrics")
	must(t, err)
	defer response.Body.Close()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		for name, to := range map[string]*float64{"go_goroutines": &of.goroutines, "process_open_fds": &of.handles, "process_resident_memory_bytes": &of.memory} {
			if value, is := strings.CutPrefix(lines.Text(), name+" "); is {
				fmt.Sscan(value, to)
			}
		}
	}
	must(t, lines.Err())
	of.memory /= 1 << 20
	return of
}

// room is for what an instance has more of when it acts than when it follows, and for calls that are under way.
const room = 40

// leaks says what a process has ever more of: its least in the second half is above all that it had in the first.
func leaks(weights []weight) (all []string) {
	if len(weights) < 4 {
		return nil
	}
	half := len(weights) / 2
	for name, of := range map[string]func(weight) float64{"goroutines": func(w weight) float64 { return w.goroutines }, "handles": func(w weight) float64 { return w.handles }} {
		byIt := func(a, b weight) int { return int(of(a) - of(b)) }
		most, least := of(slices.MaxFunc(weights[:half], byIt)), of(slices.MinFunc(weights[half:], byIt))
		if least > most+room {
			all = append(all, fmt.Sprintf("a process has ever more %s: %.0f at the most in the first half, %.0f at the least in the second", name, most, least))
		}
	}
	return all
}

func describe(weights []weight) string {
	var all []string
	for _, w := range weights {
		all = append(all, fmt.Sprintf("%.0f goroutines, %.0f handles, %.0f MiB", w.goroutines, w.handles, w.memory))
	}
	return strings.Join(all, "; ")
}
