package storm

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A weight is what an instance's process takes.
type weight struct {
	pid                         int
	goroutines, handles, memory float64 // memory in MiB
}

// weigh asks every instance.
func (w *world) weigh() map[string]weight {
	w.t.Helper()
	all := map[string]weight{}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for _, i := range w.instances {
		response, err := client.Get("http://" + i.Address() + "/metrics")
		must(w.t, err)
		of := weight{pid: i.Process().PID()}
		lines := bufio.NewScanner(response.Body)
		for lines.Scan() {
			for name, to := range map[string]*float64{"go_goroutines": &of.goroutines, "process_open_fds": &of.handles, "process_resident_memory_bytes": &of.memory} {
				if value, is := strings.CutPrefix(lines.Text(), name+" "); is {
					fmt.Sscan(value, to)
				}
			}
		}
		response.Body.Close()
		must(w.t, lines.Err())
		of.memory /= 1 << 20
		all[i.String()] = of
	}
	return all
}

// compare says what became of the weight of each instance, and whether it is another process.
func compare(before, after map[string]weight) string {
	var out strings.Builder
	for name, a := range after {
		b := before[name]
		which := "the same process"
		if a.pid != b.pid {
			which = "another process"
		}
		fmt.Fprintf(&out, "%s: goroutines %.0f, %.0f; handles %.0f, %.0f; memory %.0f, %.0f MiB (%s)\n", name, b.goroutines, a.goroutines, b.handles, a.handles, b.memory, a.memory, which)
	}
	return out.String()
}
