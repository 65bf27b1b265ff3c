package demo

import (
	"testing"

	"github.com/openova-io/failoverd/quorum"
)

// TestWorld: what is done to the witness and to the resolvers is shown, and what the one that lies
// brought is told from what the others did.
func TestWorld(t *testing.T) {
	w, err := newWorld("")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}()
	d := &director{world: w}
	want := func(witness, resolvers Condition) {
		t.Helper()
		if got := d.shown(sample{}); got.Witness != witness || got.Resolvers != resolvers {
			t.Errorf("it shows the witness %s, resolvers %s; want %s and %s", got.Witness, got.Resolvers, witness, resolvers)
		}
	}
	brought := func(kind quorum.Outcome) {
		var v quorum.Verdict
		for _, address := range w.addresses() {
			v.Ballots = append(v.Ballots, quorum.Ballot{Resolver: address, Outcome: quorum.Agreed})
		}
		v.Ballots[len(v.Ballots)-1].Outcome = kind
		w.tally.add(v)
	}
	want(Up, Up)
	w.witness.shut()
	want(Down, Up)
	brought(quorum.Replayed)
	before := w.lie()
	want(Down, Lying)
	brought(quorum.BadSignature)
	if got := w.honest().lies(before).String(); got != "1 bad_signature" {
		t.Errorf("it brought %q since, want 1 bad_signature", got)
	}
	w.witness.reopen()
	want(Up, Up)
}
