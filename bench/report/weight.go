package main

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/openova-io/failoverd/bench"
)

// measuredOn says where and of what something was measured that has a run of its own.
func measuredOn(m bench.Machine, link, file string) string {
	return fmt.Sprintf("%s, commit %s, %s with %d cores, load %.1f at the end. Raw data: [%s](%s/%s).\n", m.Date, m.Commit, m.CPU, m.Cores, m.Load, file, link, file)
}

// writeFootprint writes of what the systems take, and of how fast failoverd starts.
func writeFootprint(page *bytes.Buffer, data []byte, _, link string) error {
	var f bench.Footprint
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	fmt.Fprintf(page, "## What an idle system takes\n\nOf what runs on a node, the store and what is guarded apart, in %g s with nothing to do. Memory is what is resident, with what is shared with other processes; of the nodes that stand by it is that of the largest. The programs of an election, client-go's and etcd's, guard themselves: what the holder takes has in it that it acts, a hundred times a second. Requests are those of all nodes together, as three members of etcd count them; other stores have no such count that nothing else is in.\n\n", f.Idle)
	rows := [][]string{{"system", "the holder", "CPU", "one that stands by", "CPU", "requests an hour"}}
	for _, s := range f.Systems {
		var holder, other bench.NodeWeight
		for _, n := range s.Nodes {
			of := &other
			if n.Healthy {
				of = &holder
			}
			of.RSS, of.CPU = max(of.RSS, n.RSS), max(of.CPU, n.CPU)
		}
		row := []string{s.System, mib(holder.RSS), cores(holder), mib(other.RSS), cores(other), ""}
		if s.Requests != nil {
			row[5] = fmt.Sprintf("%.0f", *s.Requests)
		}
		rows = append(rows, row)
	}
	table(page, rows)
	if len(f.Starts) > 0 {
		starts := slices.Sorted(slices.Values(f.Starts))
		fmt.Fprintf(page, "An agent of failoverd that has never run, on a directory, without a cluster: from the start of its process to its first decision %.0f ms in the middle of %d starts, %.0f ms at most.\n\n",
			1000*quantile(starts, .5), len(starts), 1000*starts[len(starts)-1])
	}
	page.WriteString(measuredOn(f.Machine, link, "footprint.json"))
	return nil
}

func mib(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f MiB", float64(bytes)/(1<<20))
}

// cores is the processor time that a node takes; nothing where there is none of that kind.
func cores(n bench.NodeWeight) string {
	if n.RSS == 0 {
		return ""
	}
	return fmt.Sprintf("%.2f %%", 100*n.CPU)
}

// leastShare is of what is worth a line.
const leastShare = 0.005

// writeSize writes of how large the program is.
func writeSize(page *bytes.Buffer, data []byte, _, link string) error {
	var s bench.Size
	if err := json.Unmarshal(data, &s); err != nil {
		return err
	}
	page.WriteString("## How large the program is\n\nStatic and stripped, with everything in it.\n\n")
	rows := [][]string{{"build tags", "size"}}
	for i, b := range s.Builds {
		tags := cmp.Or(b.Tags, "none")
		if i == 0 {
			tags += ", as releases are built"
		}
		rows = append(rows, []string{tags, fmt.Sprintf("%.1f MB", float64(b.Bytes)/1e6)})
	}
	table(page, rows)
	page.WriteString("What would go with a module that failoverd requires, and with all that only it needs, as a share of the code:\n\n")
	rows, rest := [][]string{{"module", "share"}}, 0.0
	for _, d := range s.Dependencies {
		if d.Share >= leastShare {
			rows = append(rows, []string{d.Of, fmt.Sprintf("%.1f %%", 100*d.Share)})
		} else {
			rest += d.Share
		}
	}
	table(page, append(rows, []string{"all others", fmt.Sprintf("%.1f %%", 100*rest)}))
	page.WriteString(measuredOn(s.Machine, link, "size.json"))
	return nil
}
