package quorum_test

import (
	"flag"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

var outageFlag = flag.Int("outage", 6, "TestQuorum/witness_down: how many `TTLs`")

// witnessDown: the witness is down for everyone. The active region goes on as if nothing were.
func witnessDown(t *testing.T, binaries daemon.Binaries) {
	w := newWorld(t, binaries, params())
	holder, _ := w.settle()
	w.everyWitness((*kvserver.Link).Hang)
	outage := time.Duration(*outageFlag) * w.params.TTL
	margin := w.holds(holder, outage)
	w.everyWitness((*kvserver.Link).Heal)
	w.settle()
	w.holds(holder, w.params.TTL)
	w.noOverlap()
	t.Logf("witness down for %d TTLs (%v): authority gap 0; its deadline was never nearer than %v", *outageFlag, outage, margin)
}

// holderDead: the witness is down, and the holder dies. Nobody can know whether it is dead, so nobody takes, until an
// operator says so.
func holderDead(t *testing.T, binaries daemon.Binaries) {
	w := newWorld(t, binaries, params())
	holder, standbys := w.settle()
	w.everyWitness((*kvserver.Link).Refuse)
	w.holds(holder, w.params.TTL)
	w.kill(holder)
	const ttls = 3
	w.nobodyTakes(ttls * w.params.TTL)

	taker := standbys[0]
	for _, r := range standbys {
		text := w.explain(r)
		for _, want := range []string{
			"[no ] everyone willing (" + string(holder.Name) + ")",
			"failoverd takeover --peer-is-fenced REGION",
		} {
			if !strings.Contains(text, want) {
				t.Errorf("explain of %s does not say %q:\n%s", r.Name, want, text)
			}
		}
	}
	code, output := w.cli(taker, "takeover", "--peer-is-fenced", string(standbys[1].Name), "--yes", "--reason", "a mistake")
	if code != 1 || !strings.Contains(output, string(lease.GatePeerSilent)) {
		t.Errorf("takeover from a region that lives: exit code %d, %q; want 1, and the gate %s", code, output, lease.GatePeerSilent)
	}
	ordered := now()
	code, output = w.cli(taker, "takeover", "--peer-is-fenced", string(holder.Name), "--yes", "--reason", "the power is off there")
	if code != 0 {
		t.Fatalf("takeover: exit code %d, want 0: %s", code, output)
	}
	var active daemon.HookRun
	w.await("the hook of "+string(taker.Name), func() (ok bool) {
		active, ok = w.hook(taker, "activate", "end", ordered)
		return ok
	})
	w.holds(taker, w.params.TTL)
	w.everyWitness((*kvserver.Link).Heal)
	w.await("the witness is up", func() bool { s, ok := w.status(taker); return ok && s.Witness.Up })
	w.holds(taker, w.params.TTL)
	holder.faults[0].To = now()
	holder.Start(t)
	if again, _ := w.settle(); again != taker {
		t.Errorf("%s is active when the dead region is back, want %s", again.Name, taker.Name)
	}
	w.noOverlap()
	t.Logf("nobody took for %v; from the operator's word until the layer was active: %v", ttls*w.params.TTL, active.At.Sub(ordered))
}

// holderCutOff: the holder is cut off from everything, and another takes; the new holder is cut off from the witness alone,
// and stays.
func holderCutOff(t *testing.T, binaries daemon.Binaries) {
	w := newWorld(t, binaries, params())
	holder, standbys := w.settle()
	holder.Link.Hang()
	holder.cutOff(resolvers.Drops)
	cut := now()

	var taker *region
	var activated daemon.HookRun
	var deadline lease.Instant // of the holder
	w.await("another region takes", func() bool {
		saved, err := holder.Saved()
		if err != nil {
			t.Fatal(err)
		}
		deadline = max(deadline, saved.Deadline)
		for _, r := range standbys {
			if h, ok := w.hook(r, "activate", "end", cut); ok {
				taker, activated = r, h
			}
		}
		return taker != nil
	})
	fenced, ok := w.hook(holder, "fence", "end", cut)
	if !ok {
		t.Fatalf("%s is active and %s has not fenced", taker.Name, holder.Name)
	}
	if fenced.At > deadline {
		t.Errorf("%s was fenced %v after its deadline", holder.Name, fenced.At.Sub(deadline))
	}
	taken, _ := w.became(taker, lease.Active, cut)
	renewed := deadline.Add(-w.params.TTL)
	bound := w.params.LongestGapFresh(w.params.RequestTimeout) // with a witness that takes all the time it may
	t.Logf("cut off: fenced %v before its deadline; another took %v after the last renewal (bound %v), its layer was active %v after",
		deadline.Sub(fenced.At), taken.At.Sub(renewed), bound, activated.At.Sub(renewed))

	holder.Link.Heal()
	holder.cutOff(resolvers.Honest)
	healed := now()
	if again, _ := w.settle(); again != taker {
		t.Errorf("%s is active after it was healed, want %s", again.Name, taker.Name)
	}
	t.Logf("healed: all resolvers reach it again after %v at most", now().Sub(healed))

	taker.Link.Hang()
	margin := w.holds(taker, 2*w.params.TTL)
	taker.Link.Heal()
	w.settle()
	w.noOverlap()
	t.Logf("cut off from the witness alone for %v: authority gap 0; its deadline was never nearer than %v", 2*w.params.TTL, margin)
}
