package demo

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/quorum"
)

// TestNoWayOut: from a region that is cut off from everything, or killed, no question comes out, and
// whoever asks hears nothing and knows why. There is no client that could be asked.
func TestNoWayOut(t *testing.T) {
	for _, tt := range []struct {
		name  string
		does  func(*life)
		after time.Duration
	}{
		{"cut off", func(l *life) { l.routed.shut() }, questionTimeout},
		{"killed", (*life).end, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				q := questions{life: newLife(), tally: newTally()}
				tt.does(q.life)
				begun := time.Now()
				verdict, err := q.Ask(t.Context(), "hel", lease.Question{Verb: lease.VerbPledge}, nil)
				if err != nil || verdict.Reached || !verdict.Silent() {
					t.Errorf("got %s, %v; want silence", verdict.Describe(), err)
				}
				if took := time.Since(begun); took != tt.after {
					t.Errorf("it took %v, want %v", took, tt.after)
				}
				if !q.CutOff(t.Context()) {
					t.Error("it does not know that it is cut off")
				}
			})
		})
	}
}

// TestReplies: no answer comes out of a region that is cut off from everything, or killed while it
// answers.
func TestReplies(t *testing.T) {
	granted := quorum.Answer{Answer: lease.Answer{Granted: true}}
	for _, tt := range []struct {
		name   string
		before func(*life)
		while  func(*life)
		want   error
	}{
		{"well", nil, nil, nil},
		{"cut off", func(l *life) { l.routed.shut() }, nil, context.DeadlineExceeded},
		{"killed", nil, (*life).end, errKilled},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newLife()
				if tt.before != nil {
					tt.before(l)
				}
				r := replies{func(context.Context, quorum.Question) (quorum.Answer, error) {
					if tt.while != nil {
						tt.while(l)
					}
					return granted, nil
				}, l}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				got, err := r.answer(ctx, quorum.Question{})
				if !errors.Is(err, tt.want) || (got == granted) != (tt.want == nil) {
					t.Errorf("got %+v, %v; want %v", got, err, tt.want)
				}
			})
		})
	}
}

// TestTally: only what an honest resolver never brings is a lie.
func TestTally(t *testing.T) {
	tally := newTally()
	add := func(kinds ...quorum.Outcome) {
		var v quorum.Verdict
		for _, kind := range kinds {
			v.Ballots = append(v.Ballots, quorum.Ballot{Resolver: "a", Outcome: kind}, quorum.Ballot{Resolver: "b", Outcome: quorum.Agreed})
		}
		tally.add(v)
	}
	add(quorum.BadSignature, quorum.Agreed)
	before := tally.of("a")
	add(quorum.Agreed, quorum.Silent, quorum.ServFail, quorum.Unsigned)
	if lies := tally.of("a").lies(before); len(lies) > 0 {
		t.Errorf("honest, it is said to have brought %v", lies)
	}
	add(quorum.Replayed, quorum.BadSignature, quorum.Replayed, quorum.Differs)
	if got, want := tally.of("a").lies(before).String(), "1 bad_signature, 1 differs, 2 replayed"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if lies := tally.of("b").lies(nil); len(lies) > 0 {
		t.Errorf("another one is said to have brought %v", lies)
	}
}
