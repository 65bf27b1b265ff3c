package quorum_test

import (
	"strings"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// badResolvers: the witness is down, so that the quorum alone carries authority. What one of the resolvers does has no
// effect but a count, whichever it is; with two of them bad, there is no quorum, and the region fences.
func badResolvers(t *testing.T, binaries daemon.Binaries) {
	w := newWorld(t, binaries, params())
	holder, standbys := w.settle()
	w.everyWitness((*kvserver.Link).Hang)
	before := w.changes()
	for i, tt := range []struct {
		does    resolvers.Meddling
		outcome quorum.Outcome
	}{
		{resolvers.Refuses, quorum.Silent},
		{resolvers.Drops, quorum.Silent},
		{resolvers.Slow, quorum.Silent},
		{resolvers.Elsewhere, quorum.Silent},
		{resolvers.StripsTXT, quorum.Unsigned},
		{resolvers.ChangesCase, quorum.Agreed},
		{resolvers.Replays, quorum.Replayed},
		{resolvers.ServFails, quorum.ServFail},
		{resolvers.Truncates, quorum.Agreed},
	} {
		bad := i % len(holder.ways)
		w.meddle(bad, tt.does)
		answers, met := w.answers(holder), holder.ways[bad].Met(tt.does)
		w.await("answers through it, "+string(tt.does), func() bool {
			after := w.answers(holder)
			for _, peer := range standbys {
				for j, way := range holder.ways {
					outcome := quorum.Agreed
					if j == bad {
						outcome = tt.outcome
					}
					a := daemon.Answer{Resolver: way.Address, Peer: peer.Name, Outcome: string(outcome)}
					if after[a] < answers[a]+2 {
						return false
					}
				}
			}
			return tt.does == resolvers.Refuses || holder.ways[bad].Met(tt.does) > met
		})
		w.meddle(bad, resolvers.Honest)
		w.collect()
		if after := w.changes(); after != before {
			t.Fatalf("one resolver that does this has an effect: %s: transitions and hooks were %s, and are %s", tt.does, before, after)
		}
	}

	w.meddle(0, resolvers.ServFails)
	w.meddle(2, resolvers.StripsTXT)
	lost := now()
	w.await(string(holder.Name)+" is fenced", func() bool { _, ok := w.hook(holder, "fence", "end", lost); return ok })
	saved, err := holder.Saved()
	if err != nil {
		t.Fatal(err)
	}
	fenced, _ := w.hook(holder, "fence", "end", lost)
	if fenced.At > saved.Deadline {
		t.Errorf("it was fenced %v after its deadline", fenced.At.Sub(saved.Deadline))
	}
	// By its history, which comes to the disk after the status says so.
	w.await(string(holder.Name)+" is a standby", func() bool { _, ok := w.became(holder, lease.Standby, lost); return ok })
	w.nobodyTakes(w.params.TTL)
	for _, r := range w.regions {
		_, status := w.cli(r, "status", "--address", r.Address())
		if want := "region unreachable"; !strings.Contains(status, want) {
			t.Errorf("status of %s does not say %q:\n%s", r.Name, want, status)
		}
		if text, want := w.explain(r), "[no ] everyone willing"; !strings.Contains(text, want) {
			t.Errorf("explain of %s does not say %q:\n%s", r.Name, want, text)
		}
	}
	w.meddle(2, resolvers.Honest)
	healed := now()
	w.await("a region takes the lease up again", func() bool {
		for _, r := range w.regions {
			if a, ok := w.became(r, lease.Active, healed); ok {
				t.Logf("two bad resolvers: fenced %v before the deadline; %v after one was good again %s took", saved.Deadline.Sub(fenced.At), a.At.Sub(healed), r.Name)
				return true
			}
		}
		return false
	})
	w.noOverlap()
}

// answers is what each resolver has brought of the region's questions so far.
func (w *world) answers(r *region) (answers map[daemon.Answer]int) {
	w.t.Helper()
	w.await("metrics of "+string(r.Name), func() (ok bool) {
		var err error
		answers, err = r.Answers(w.t.Context())
		return err == nil
	})
	return answers
}
