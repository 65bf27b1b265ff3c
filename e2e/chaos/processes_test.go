package chaos

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/lease"
)

var (
	roundsFlag = flag.Int("rounds", 70, "TestProcesses: how `many` faults")
	seedFlag   = flag.Uint64("seed", 1, "the `seed` of the order and the moments of the faults")
	calmFlag   = flag.Duration("calm", 0, "for `how long` the group is left alone after the faults, to see whether it loses its lease")
	loadFlag   = flag.Int("load", 0, "`how many` processes are busy all the time beside the daemons")
	plainFlag  = flag.Bool("plain", false, "daemons without the race detector")
	outFlag    = flag.String("out", "", "an existing `folder` for the raw data, as processes.json")
)

// TestProcesses does to three daemons, which share a lease in Cloudflare's own KV code, what may happen to them, and
// checks that two were never active at once, and that their journals replay to the same actions. No time is asserted: the
// machine may be busy. The figures are in its log.
func TestProcesses(t *testing.T) {
	params := lease.Params{
		Members: []lease.Region{"fsn", "hel", "nbg"},
		TTL:     3 * time.Second, RenewInterval: time.Second, RetryInterval: 300 * time.Millisecond,
		PollInterval: 200 * time.Millisecond, RequestTimeout: 500 * time.Millisecond, FenceTimeout: 500 * time.Millisecond,
		MaxClockDrift: 0.002,
	}
	run(t, params, onKV, *roundsFlag, kinds)
}

// run does so many things of some kinds to a group, and judges and reports what was seen.
func run(t *testing.T, params lease.Params, on witness, rounds int, kinds []kind) {
	t.Helper()
	w := newWorld(t, params, *seedFlag, on)
	begun := now()
	var order []int
	for range rounds {
		if len(order) == 0 {
			order = w.random.Perm(len(kinds))
		}
		kind := kinds[order[0]]
		order = order[1:]
		holder, standbys := w.settle()
		round := Round{Kind: kind.name}
		kind.run(w, &round, holder, standbys)
		w.collect()
		w.rounds = append(w.rounds, round)
	}
	w.settle()
	w.rest(*calmFlag)
	for _, r := range w.regions {
		r.begin(Terminated)
		if err := r.Process().Terminate(); err != nil {
			t.Fatalf("%s: %v", r.Name, err)
		}
	}
	for _, r := range w.regions {
		w.awaitExit(r)
	}
	w.collect()
	records := w.records()
	findings := Check(records, params.TTL)
	w.save(*outFlag, records, findings)
	for _, f := range slices.Concat(findings.Authority, findings.Layers, findings.Unfounded) {
		t.Error(f)
	}
	for _, bad := range daemon.Audit(t, w.group.Regions...) {
		t.Error(bad)
	}
	w.report(records, findings, now().Sub(begun))
}

// rest leaves the group alone.
func (w *world) rest(d time.Duration) {
	for end := now().Add(d); now() < end; w.collect() {
		select {
		case <-time.After(min(10*time.Second, end.Sub(now()))):
		case <-w.t.Context().Done():
			return
		}
	}
}

// save writes all that was seen.
func (w *world) save(dir string, records []Record, findings Findings) {
	if dir == "" {
		return
	}
	data, err := json.MarshalIndent(map[string]any{
		"seed": *seedFlag, "params": w.group.Params, "rounds": w.rounds, "records": records, "findings": findings,
	}, "", " ")
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "processes.json"), data, 0o600)
	}
	if err != nil {
		w.t.Errorf("write the raw data: %v", err)
	}
}

// report logs the figures.
func (w *world) report(records []Record, findings Findings, took time.Duration) {
	var asked []time.Duration
	var late []time.Duration
	kills, freezes, lost := 0, 0, 0
	var held time.Duration
	for i, r := range w.regions {
		r.mu.Lock()
		asked = append(asked, r.asked...)
		r.mu.Unlock()
		late = append(late, records[i].Late(w.group.Params.TTL)...)
		lost += len(records[i].Lost())
		for _, l := range records[i].Lost() {
			w.t.Logf("%s lost its lease at %d though nothing was done to it: epoch %d, %s", r.Name, l.At, l.Epoch, l.Reason)
		}
		for _, f := range records[i].Faults {
			kills += count(f.Kind == Killed)
			freezes += count(f.Kind == Frozen)
		}
		for _, s := range records[i].Authority(w.group.Params.TTL) {
			held += s.To.Sub(s.From)
		}
	}
	slices.Sort(asked)
	trip := quantile(asked, 0.99)
	p := w.group.Params
	bound := p.LongestGapFresh(trip)
	plain := fmt.Sprintf("%s = longer(ttl + staleness) + poll_interval + 3 x %v (p99 of the witness's answers)", millis(bound), trip.Round(time.Millisecond))
	landed := fmt.Sprintf("%s = that + renew_interval", millis(bound+p.RenewInterval))
	single := func(r Round) bool { return r.Candidate == "" && r.Taker != "" }
	thawed := func(r Round) bool { return r.Kind == "freeze" }
	at := func(r Round) lease.Instant { return r.At }
	deadline := func(r Round) lease.Instant { return r.Renewed.Add(p.TTL) }
	taken := func(r Round) lease.Instant { return r.Taken }
	activated := func(r Round) lease.Instant { return r.Activated }
	fenced := func(r Round) lease.Instant { return r.Fenced }
	renewed := func(r Round) lease.Instant { return r.Renewed }
	series := []Series{
		{"authority gap, from the last renewal", gaps(w.rounds, single, renewed, taken), plain},
		{"layer gap, from the last renewal", gaps(w.rounds, single, renewed, activated), "that + the hook"},
		{"layer gap, from the fault", gaps(w.rounds, single, at, activated), ""},
		{"  of these, kills", gaps(w.rounds, func(r Round) bool { return r.Kind == "kill" }, at, activated), ""},
		{"  freezes", gaps(w.rounds, thawed, at, activated), ""},
		{"  cuts", gaps(w.rounds, func(r Round) bool { return r.Kind == "cut: hangs" || r.Kind == "cut: refuses" }, at, activated), landed},
		{"  SIGTERM", gaps(w.rounds, func(r Round) bool { return r.Kind == "terminate" }, at, activated), ""},
		{"holder and candidate at once, from the last renewal", gaps(w.rounds, func(r Round) bool { return r.Candidate != "" }, renewed, activated), "none is promised"},
		{"kill, restart: down until it goes on", downs(w.rounds), "0 s gap: authority stands throughout"},
		{"thaw until fenced (frozen holder)", gaps(w.rounds, thawed, func(r Round) lease.Instant { return r.Thawed }, fenced), "issue 6: a watchdog"},
		{"deadline until fenced (frozen holder)", gaps(w.rounds, thawed, deadline, fenced), "as long as the freeze"},
		{"both layers active (frozen holder)", gaps(w.rounds, thawed, activated, fenced), "as long as the freeze"},
		{"fenced before the deadline (cut holder)", gaps(w.rounds, func(r Round) bool { return r.Thawed == 0 }, fenced, deadline), "0 s at least"},
		{"layers outlived authority, agent could fence", late, "none"},
		{"the witness's answers", asked, p.RequestTimeout.String() + " (request_timeout)"},
	}
	landedKills := 0
	for _, r := range w.rounds {
		landedKills += count(r.Landed)
		if r.Resumed != "" && r.Resumed != "yes" {
			w.t.Logf("%s: kill and restart at once: went on: %s", r.Victim, r.Resumed)
		}
	}
	w.t.Logf("seed %d: %d rounds in %v: %d kills, %d freezes, of all faults %d between a write's landing and its answer\n"+
		"overlaps of authority: %d; of layers outside the known hole: %d; unfounded claims: %d\n"+
		"leases lost with no fault: %d in %v of authority\n%s",
		*seedFlag, len(w.rounds), took.Round(time.Second), kills, freezes, landedKills,
		len(findings.Authority), len(findings.Layers), len(findings.Unfounded), lost, held.Round(time.Second), Table(series))
}

// downs are the times for which agents were down that were restarted at once and went on.
func downs(rounds []Round) []time.Duration {
	var out []time.Duration
	for _, r := range rounds {
		if r.Resumed == "yes" {
			out = append(out, r.Down)
		}
	}
	return out
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
