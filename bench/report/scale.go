package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/openova-io/failoverd/bench"
)

// writeScale writes of groups of more and more regions.
func writeScale(page *bytes.Buffer, data []byte, _, link string) error {
	var s bench.Scale
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	fmt.Fprintf(page, "## More regions\n\nfailoverd with the default times on three members of etcd, without the quorum. There is no limit to the regions of a group; each reads the records of all, so that requests grow with their square. Requests and CPU are of %g s with nothing to do. The bound is from the last renewal; the gap is from the death where daemons ran, and from the last renewal where the protocol alone was simulated.\n\n", s.Idle)
	rows := [][]string{{"regions", "", "requests an hour, all", "CPU of one agent", "memory of the largest", "deaths", "gap p50", "longest", "bound"}}
	for _, kind := range []struct {
		how string
		of  []bench.ScaleRow
	}{{"daemons", s.Ran}, {"simulated", s.Simulated}} {
		for _, r := range kind.of {
			gaps := slices.Sorted(slices.Values(r.Gaps))
			row := []string{fmt.Sprint(r.Regions), kind.how, fmt.Sprintf("%.0f", r.Requests), cores(bench.NodeWeight{RSS: r.RSS, CPU: r.CPU}), mib(r.RSS), fmt.Sprint(len(gaps)), "", "", seconds(r.Bound)}
			if len(gaps) > 0 {
				row[6], row[7] = seconds(quantile(gaps, .5)), seconds(gaps[len(gaps)-1])
			}
			rows = append(rows, row)
		}
	}
	table(page, rows)
	page.WriteString(measuredOn(s.Machine, link, "scale.json"))
	return nil
}
