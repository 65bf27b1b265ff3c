//go:build clusters

package cnpg_test

import (
	"context"
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/e2e/chaos"
	"github.com/openova-io/failoverd/lease"
)

var (
	unplannedFlag = flag.Int("unplanned", 10, "TestFailover: `how many` times a region is killed or cut off")
	plannedFlag   = flag.Int("planned", 10, "TestFailover: `how many` planned switchovers")
)

// commitRecord is more than the record of a commit takes in the log, with what may stand between it and the row.
const commitRecord = 512

// TestFailover kills regions and cuts them off, brings them back, and switches over as planned, and counts what clients were
// promised and what they find.
func TestFailover(t *testing.T) {
	w := newWorld(t)
	var unplanned, planned figures
	rows, rebuilt := 0, 0
	for i := range *unplannedFlag {
		kill := i%2 == 1
		lost, diverged := w.unplanned(&unplanned, kill)
		t.Logf("unplanned failover %d, killed %v: %d rows lost, rebuild required: %v", i+1, kill, lost, diverged)
		rows += lost
		if diverged {
			rebuilt++
		}
	}
	kept := 0
	for i := range *plannedFlag {
		n := w.planned(&planned)
		t.Logf("planned switchover %d: all of %d rows are there", i+1, n)
		kept = n
	}
	w.settle()
	fsn, hel := w.regions[0].writer.all(), w.regions[1].writer.all()
	both := append(bothWritable(fsn, hel), bothWritable(hel, fsn)...)
	for _, done := range both {
		t.Errorf("two writable primaries: write %d was acknowledged at %v while the other region took writes too", done.n, done.acked)
	}
	t.Logf("%d writes acknowledged, one tried every %v in each region; %d of them while the other region took writes too", len(fsn)+len(hel), writeEvery, len(both))
	t.Logf("%d unplanned failovers: %d rows lost, each behind the position that the new primary was promoted at; rebuilt %d times\n%s", *unplannedFlag, rows, rebuilt, chaos.Table(unplanned.series()))
	t.Logf("%d planned switchovers: 0 of %d rows lost\n%s", *plannedFlag, kept, chaos.Table(planned.series()))
}

// figures are the times of one kind of failover.
type figures struct {
	decided, written, own, writable, gap, total, whole []time.Duration
}

func (f *figures) series() []chaos.Series {
	return []chaos.Series{
		{Name: "from the fault or the order until the other region has the lease", Values: f.decided},
		{Name: "from the lease until writable", Values: f.writable},
		{Name: "  of that failoverd, with the token if there is one: until the role is written", Values: f.written},
		{Name: "  and CloudNativePG's own: from there until writable", Values: f.own},
		{Name: "not writable again, while CloudNativePG restarts it", Values: f.gap},
		{Name: "from the fault or the order until writable", Values: f.total},
		{Name: "from bringing back or the order until the former primary streams", Values: f.whole},
	}
}

// takeover follows how a region becomes the primary.
func (w *world) takeover(f *figures, r *region, since time.Time) {
	w.t.Helper()
	var decided, patched, writable time.Time
	limit := time.Now().Add(awaitLimit)
	for writable.IsZero() {
		if time.Now().After(limit) {
			_, out, err := r.agent.command(w.t.Context(), "explain", "--config", r.Path("failoverd.yaml"))
			w.t.Fatalf("%s is not writable %v after the fault or the order: lease %v, role %v\n%s%v", r.Name, awaitLimit, decided, patched, out, err)
		}
		if decided.IsZero() {
			if h, ok := r.agent.became(w.t, lease.Active, since); ok {
				decided = h.Time
			}
		}
		if patched.IsZero() {
			if o, ok := r.cluster(); ok && roleOf(o) == r.Name {
				patched = time.Now()
			}
		}
		if first, ok := r.writer.first(since); ok && !decided.IsZero() && !patched.IsZero() {
			writable = first.acked
		}
		<-time.After(lookAgain / 10)
	}
	f.decided = append(f.decided, decided.Sub(since))
	f.written = append(f.written, patched.Sub(decided))
	f.own = append(f.own, writable.Sub(patched))
	f.writable = append(f.writable, writable.Sub(decided))
	f.total = append(f.total, writable.Sub(since))
}

func roleOf(o *unstructured.Unstructured) string {
	primary, _, _ := unstructured.NestedString(o.Object, "spec", "replica", "primary")
	return primary
}

// unplanned kills the region that is active, or cuts it off, and brings it back when the other one serves. It returns how many
// rows are lost, and whether the former primary had to be rebuilt.
func (w *world) unplanned(f *figures, kill bool) (lost int, diverged bool) {
	t := w.t
	t.Helper()
	from, to := w.settle()
	to.awaitAttention()
	struck := time.Now()
	if kill {
		from.agent.kill(t)
		from.Kill(t)
	} else {
		from.Cut(t)
	}
	w.takeover(f, to, struck)
	w.await("the layer of "+to.Name+" is active", func() bool { s, ok := to.agent.status(t.Context()); return ok && s.AllLayers("active") })

	o, ok := to.cluster()
	if !ok {
		t.Fatalf("%s: its API server does not answer", to.Name)
	}
	reported, err := position(o.GetAnnotations()["failover.openova.io/promoted-at"])
	if err != nil {
		t.Fatalf("%s: up to where its data had come: %v", to.Name, err)
	}
	for _, done := range w.missing(to) {
		w.lost[done.n] = true
		lost++
		if done.at+commitRecord < reported {
			t.Errorf("%s: write %d at %X is lost, though %s said that it had all up to %X", from.Name, done.n, done.at, to.Name, reported)
		}
	}

	back := time.Now()
	if kill {
		from.Boot(t)
		from.agent.start(t)
		from.WaitReady(t)
	} else {
		from.Heal(t)
	}
	w.await(from.Name+" stands by", func() bool {
		s, ok := from.agent.status(t.Context())
		return ok && s.State == lease.Standby && s.AllLayers("inactive")
	})
	w.await(from.Name+" streams, or has to be rebuilt", func() bool {
		diverged = w.rebuildRequired(from)
		return diverged || w.streams(to)
	})
	if diverged {
		from.rebuild(t, to)
	}
	f.whole = append(f.whole, time.Since(back))
	first, _ := to.writer.first(struck)
	f.gap = append(f.gap, longestGap(to.writer.all(), first))
	return lost, diverged
}

// planned switches over, and returns how many rows there are.
func (w *world) planned(f *figures) int {
	t := w.t
	t.Helper()
	from, to := w.settle()
	to.awaitAttention()
	ordered := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), awaitLimit)
	defer cancel()
	code, out, err := from.agent.command(ctx, "switchover", "--to", to.Name, "--yes", "--reason", "a test", "--config", from.Path("failoverd.yaml"))
	if err != nil || code != 0 || !strings.Contains(out, to.Name+" is active for epoch") {
		t.Fatalf("switchover from %s to %s: exit code %d, %v: %s", from.Name, to.Name, code, err, out)
	}
	w.takeover(f, to, ordered)
	for _, done := range w.missing(to) {
		t.Errorf("%s: write %d, acknowledged before the switchover, is lost", from.Name, done.n)
	}
	w.settle()
	f.whole = append(f.whole, time.Since(ordered))
	first, _ := to.writer.first(ordered)
	f.gap = append(f.gap, longestGap(to.writer.all(), first))
	return len(from.writer.all()) + len(to.writer.all()) - len(w.lost)
}

// missing are the acknowledged writes that a region does not have, but for those that are known to be lost.
func (w *world) missing(r *region) (missing []write) {
	w.t.Helper()
	var all []write
	for _, o := range w.regions {
		all = append(all, o.writer.all()...)
	}
	there := w.query(r, "SELECT n FROM writes")
	for _, done := range all {
		if !there[done.n] && !w.lost[done.n] {
			missing = append(missing, done)
		}
	}
	return missing
}

// longestGap is the longest time between two writes, from one on.
func longestGap(all []write, from write) (gap time.Duration) {
	for i, done := range all {
		if i > 0 && all[i-1].n >= from.n {
			gap = max(gap, done.acked.Sub(all[i-1].acked))
		}
	}
	return gap
}

// settle waits until one region is active and writable, and the other follows it.
func (w *world) settle() (active, standby *region) {
	w.t.Helper()
	w.await("one region is active, the other one follows", func() bool {
		active, standby = nil, nil
		for _, r := range w.regions {
			s, ok := r.agent.status(w.t.Context())
			o, there := r.cluster()
			phase := ""
			if there {
				phase, _, _ = unstructured.NestedString(o.Object, "status", "phase")
			}
			for _, p := range s.Peers {
				ok = ok && p.Known && p.Quorum != nil && p.Quorum.Reached
			}
			switch {
			case !ok || phase != "Cluster in healthy state":
			case s.State == lease.Active && s.AllLayers("active"):
				active = r
			case s.State == lease.Standby && s.AllLayers("inactive"):
				standby = r
			}
		}
		return active != nil && standby != nil && w.streams(active)
	})
	if standby.follows.IsZero() {
		standby.follows = time.Now()
	}
	active.follows = time.Time{}
	return active, standby
}

// attention is after how long CloudNativePG's instance manager looks at its Cluster again when it has let its PostgreSQL run: it
// asks every 5 s whether that is up, and then sleeps for 20 s. A switchover back that comes before takes that much longer.
const attention = 30 * time.Second

// awaitAttention waits until a promotion of the region takes as long as it usually does.
func (r *region) awaitAttention() {
	r.world.t.Helper()
	r.world.await("CloudNativePG looks at the Cluster of "+r.Name, func() bool { return time.Since(r.follows) > attention })
}

// streams reports whether somebody follows a region's database.
func (w *world) streams(primary *region) bool {
	n, err := primary.query(w.t.Context(), "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'")
	return err == nil && n[1]
}

// rebuildRequired reports whether the region's agent says so.
func (w *world) rebuildRequired(r *region) bool {
	ctx, cancel := context.WithTimeout(w.t.Context(), awaitLimit)
	defer cancel()
	_, out, err := r.agent.command(ctx, "check", "--live", "--config", r.Path("failoverd.yaml"))
	if err != nil {
		w.t.Fatalf("%s: check --live: %v", r.Name, err)
	}
	i := slices.IndexFunc(strings.Split(out, "\n"), func(line string) bool { return strings.Contains(line, "rebuild required") })
	if i >= 0 {
		w.t.Logf("%s: %s", r.Name, strings.Split(out, "\n")[i])
	}
	return i >= 0
}

// rebuild makes the region's Cluster anew, as docs/databases.md says.
func (r *region) rebuild(t *testing.T, source *region) {
	t.Helper()
	r.Kubectl(t, "", "delete", "clusters.postgresql.cnpg.io", "db", "--wait")
	r.Kubectl(t, "", "wait", "--for=delete", "pods,persistentvolumeclaims", "--selector=cnpg.io/cluster=db", "--timeout=60s")
	r.create(t, source.Name, source.Name)
	r.awaitHealthy(t)
	r.world.await(fmt.Sprintf("%s streams from %s", r.Name, source.Name), func() bool { return r.world.streams(source) })
}
