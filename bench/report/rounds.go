package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/openova-io/failoverd/bench"
)

// faults are the scenarios in which two may hold at once.
var faults = []bench.Scenario{bench.Frozen, bench.Partitioned, bench.SlowAnswers, bench.FastHolder, bench.FastCandidates}

// writeRounds writes of the faults, the switchovers and the outages.
func writeRounds(page *bytes.Buffer, data []byte, folder, link string) error {
	var all bench.Rounds
	if err := json.Unmarshal(data, &all); err != nil {
		return err
	}
	m := all.Machine
	fmt.Fprintf(page, `# Measured beside the others

The same faults for failoverd and for what a user would take instead of it, on one machine, seen by the same eyes. `+"`make bench`"+` repeats it all, `+"`make bench SYSTEMS='^failoverd, etcd$' KILLS=100 PAGE=/tmp/etcd.md`"+` does more of one.

%s, commit %s, %s with %d cores, Linux %s, %s, load %.1f at the end, seed %d. Raw data: [rounds.json](%s/rounds.json).

`, m.Date, m.Commit, m.CPU, m.Cores, m.Kernel, m.Go, m.Load, all.Seed, link)
	unplanned(page, all, link)
	twoAtOnce(page, all, link)
	planned(page, all)
	outages(page, all)
	systems(page, all)
	wrong(page, all)
	page.WriteString(howMeasured)
	if err := plotGaps(all, filepath.Join(folder, "gaps.png")); err != nil {
		return err
	}
	return plotOverlaps(all, filepath.Join(folder, "overlaps.png"))
}

// table writes rows of cells, of which the first row is the heading, and reports whether there is more than that.
func table(page *bytes.Buffer, rows [][]string) bool {
	if len(rows) < 2 {
		page.WriteString("Nothing was measured.\n\n")
		return false
	}
	for i, row := range rows {
		fmt.Fprintf(page, "| %s |\n", strings.Join(row, " | "))
		if i == 0 {
			fmt.Fprintf(page, "|%s\n", strings.Repeat("---|", len(row)))
		}
	}
	page.WriteString("\n")
	return true
}

func unplanned(page *bytes.Buffer, all bench.Rounds, link string) {
	page.WriteString("## The holder dies\n\n" +
		"It is killed with all that runs on its node, at any moment between two renewals. The gap is from its death until what another node guards acts. The bound is counted from the last renewal, so it is above any gap that keeps it; beyond it is what its documentation, or its code, does not account for: slow answers, a busy machine, what comes after the lease. With fewer than 100 rounds p99 is the longest.\n\n")
	rows := [][]string{{"system", "ttl, renewal", "rounds", "gap p50", "p99", "longest", "bound", "p99 beyond the bound"}}
	for _, e := range all.Entries {
		rounds := judged(all, e.Name, bench.Killed)
		if len(rounds) == 0 {
			continue
		}
		gaps, over := figures(rounds, gap), figures(rounds, beyond)
		row := []string{e.Name, times(e), fmt.Sprint(len(rounds)), seconds(quantile(gaps, .5)), seconds(quantile(gaps, .99)), seconds(gaps[len(gaps)-1])}
		if e.Bound > 0 {
			past := "none"
			if worst := quantile(over, .99); worst > 0 {
				past = seconds(worst)
			}
			row = append(row, seconds(e.Bound), past)
		} else {
			row = append(row, "none stated", "")
		}
		rows = append(rows, row)
	}
	if !table(page, rows) {
		return
	}
	fmt.Fprintf(page, "![How long nobody acted after the holder's death, by system](%s/gaps.png)\n\n", link)
}

func times(e bench.Entry) string { return fmt.Sprintf("%.3g s, %.3g s", e.TTL, e.Renew) }

func twoAtOnce(page *bytes.Buffer, all bench.Rounds, link string) {
	page.WriteString(`## Two at once

The holder lives, and something else is wrong. It lasts until another node acts and a renewal more; or, if none does, for four TTLs, or for the bound and a TTL if that is longer. Then it is undone. In how many rounds did two nodes act at once, and for how long at the most?

- **frozen**: the holder's agent stands still (SIGSTOP), as where a virtual machine's vCPU is not scheduled, and what it guards runs on; a library that elects stands still with the program that it is in. No agent can stop what runs beside it while it is frozen: that takes a dead-man's switch. failoverd's is the service's unit (` + "`WatchdogSec`" + `), as it is shipped: the agent is killed after 5 s, started again, and goes on, so that nobody else acts. *failoverd, etcd, unwatched* is without. What the others have is in their settings below.
- **partitioned**: the holder is cut off from the store and from the other nodes. Clients reach it.
- **slow answers**: for two renewals all answers come two seconds late, then none comes.
- **fast holder**, **fast candidates**: partitioned, while the clock of the holder, or of all others, runs 1 % fast: five times what failoverd allows for by default (` + "`max_clock_drift: 0.2%`" + `).

`)
	for _, kind := range []struct {
		title, text string
		of          func(bench.Round) float64
	}{
		{"What acts", "", acting},
		{"What a load balancer sees", "Nodes whose health endpoint says at once that they are the one to send clients to, asked every 50 ms. One that does not answer within 250 ms is not.\n\n", healthy},
	} {
		fmt.Fprintf(page, "### %s\n\n%s", kind.title, kind.text)
		rows := byFault(all, func(e bench.Entry, s bench.Scenario, rounds []bench.Round) string {
			return twoCell(e, s, rounds, kind.of)
		})
		if !table(page, rows) {
			return
		}
	}
	fmt.Fprintf(page, "![In how many rounds two nodes acted, or were healthy, at once](%s/overlaps.png)\n\n", link)
	page.WriteString("How long nobody acted in the same rounds, p50 and longest:\n\n")
	table(page, byFault(all, func(_ bench.Entry, _ bench.Scenario, rounds []bench.Round) string {
		if len(rounds) == 0 {
			return ""
		}
		gaps := figures(rounds, gap)
		return seconds(quantile(gaps, .5)) + ", " + seconds(gaps[len(gaps)-1])
	}))
}

// byFault are the rows of a table with a column for each fault, and a row for each system of which there are rounds with one.
func byFault(all bench.Rounds, cell func(bench.Entry, bench.Scenario, []bench.Round) string) [][]string {
	head := []string{"system"}
	for _, s := range faults {
		head = append(head, string(s))
	}
	rows := [][]string{head}
	for _, e := range all.Entries {
		row, any := []string{e.Name}, false
		for _, s := range faults {
			rounds := judged(all, e.Name, s)
			any = any || len(rounds) > 0
			row = append(row, cell(e, s, rounds))
		}
		if any {
			rows = append(rows, row)
		}
	}
	return rows
}

// twoCell says in how many rounds there were two.
func twoCell(e bench.Entry, s bench.Scenario, rounds []bench.Round, of func(bench.Round) float64) string {
	switch n, longest := overlaps(rounds, of); {
	case e.Without[s] != "":
		return e.Without[s]
	case len(rounds) == 0:
		return ""
	case n == 0:
		return fmt.Sprintf("0 of %d", len(rounds))
	default:
		return fmt.Sprintf("**%d of %d**, %s", n, len(rounds), seconds(longest))
	}
}

func planned(page *bytes.Buffer, all bench.Rounds) {
	page.WriteString("## A planned switchover\n\nAn operator has another node take over, by the command that the system has for it. How long did nobody act?\n\n")
	rows := [][]string{{"system", "rounds", "gap p50", "p99", "longest", "two acted at once"}}
	for _, e := range all.Entries {
		rounds := judged(all, e.Name, bench.Switchover)
		switch {
		case e.Without[bench.Switchover] != "":
			rows = append(rows, []string{e.Name, e.Without[bench.Switchover], "", "", "", ""})
		case len(rounds) > 0:
			gaps := figures(rounds, gap)
			rows = append(rows, []string{e.Name, fmt.Sprint(len(rounds)), seconds(quantile(gaps, .5)), seconds(quantile(gaps, .99)), seconds(gaps[len(gaps)-1]), twoCell(e, bench.Switchover, rounds, acting)})
		}
	}
	table(page, rows)
}

func outages(page *bytes.Buffer, all bench.Rounds) {
	page.WriteString("## The store is gone for ten TTLs\n\nAll nodes live and reach one another; the store takes no writes. For how long in all did nobody act, until all was well again?\n\n")
	rows := [][]string{{"system", "ten TTLs", "nobody acted", "two acted at once"}}
	for _, e := range all.Entries {
		rounds := judged(all, e.Name, bench.Outage)
		switch {
		case e.Without[bench.Outage] != "":
			rows = append(rows, []string{e.Name, e.Without[bench.Outage], "", ""})
		case len(rounds) > 0:
			down := figures(rounds, func(r bench.Round) float64 { return r.Down })
			rows = append(rows, []string{e.Name, fmt.Sprintf("%g s", 10*e.TTL), seconds(down[len(down)-1]), twoCell(e, bench.Outage, rounds, acting)})
		}
	}
	table(page, rows)
}

func systems(page *bytes.Buffer, all bench.Rounds) {
	page.WriteString("## The systems, and what they promise\n\n")
	var promises []string
	who := map[string][]string{}
	for _, e := range all.Entries {
		fmt.Fprintf(page, "- **%s** (%s): %s. Bound: %s.\n", e.Name, e.Version, strings.TrimSuffix(e.Settings, "."), strings.TrimSuffix(bound(e), "."))
		if who[e.Promise] == nil {
			promises = append(promises, e.Promise)
		}
		who[e.Promise] = append(who[e.Promise], e.Name)
	}
	page.WriteString("\nWhat each says of two holders, in its own words:\n\n")
	for _, p := range promises {
		fmt.Fprintf(page, "- **%s**: %s\n", strings.Join(who[p], "; "), p)
	}
	page.WriteString("\n")
}

func bound(e bench.Entry) string {
	if e.Bound == 0 {
		return "none; " + e.Formula
	}
	return fmt.Sprintf("%s = %s", e.Formula, seconds(e.Bound))
}

// wrong are the rounds without a figure.
func wrong(page *bytes.Buffer, all bench.Rounds) {
	type kind struct {
		system   string
		scenario bench.Scenario
		why      string
	}
	n := map[kind]int{}
	var order []kind
	for _, r := range all.Rounds {
		if r.Wrong == "" {
			continue
		}
		k := kind{r.System, r.Scenario, r.Wrong}
		if n[k] == 0 {
			order = append(order, k)
		}
		n[k]++
	}
	if len(order) == 0 {
		return
	}
	page.WriteString("## Rounds without a figure\n\n")
	rows := [][]string{{"system", "scenario", "rounds", "why"}}
	for _, k := range order {
		rows = append(rows, []string{k.system, string(k.scenario), fmt.Sprint(n[k]), strings.ReplaceAll(strings.Join(strings.Fields(k.why), " "), "|", `\|`)})
	}
	table(page, rows)
}

var howMeasured = strings.TrimLeft(`
## How the faults were made, and what that is not

- Each system runs as its own documentation has it run, as processes on loopback, three nodes of it, each with its own way to the store by which it is cut off or slowed down. failoverd is cut off from the resolvers too, by which its regions ask one another, and what these answer is late by 3 s instead of 2; on a directory it is cut off by having its way there removed, a symbolic link. All are on one machine, so that there is one clock (CLOCK_BOOTTIME) by which everything is written down.
- Judged is what a system guards, never what a node thinks of itself: hooks that write down when they ran, a database that takes writes or refuses them.
- The systems run at the same time, several groups of each, and share the machine. What that delays is in the figures, of all of them.
- Clocks that run fast are made by building a program with a changed runtime, or by a library before the system's own, and not by the kernel's clock.
- It is one machine: no real network with its loss and its routes, no disk that hangs, no power that goes. A round's fault is one fault. Of a rare event some dozens of rounds say nothing: for that there are the simulator, the model and the chaos runs of [measured.md](measured.md).
- The authors of failoverd have made it. The others have the settings that they recommend themselves; whoever knows better ones is asked to say so.
`, "\n")
