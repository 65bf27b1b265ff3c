package quorum

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// An Outcome is what became of a question through one resolver, as a label of metrics.
type Outcome string

const (
	Agreed       Outcome = "agreed"
	Differs      Outcome = "differs"       // rightly signed, and says something else than the others
	Silent       Outcome = "silent"        // no answer in time
	ServFail     Outcome = "servfail"      // the resolver could not get one
	Unsigned     Outcome = "unsigned"      // ErrUnsigned, or none at all: NXDOMAIN, no TXT record
	BadSignature Outcome = "bad_signature" // ErrForged
	Replayed     Outcome = "replayed"      // ErrReplayed
)

// OutcomeOf is the outcome of what ParseText returned.
func OutcomeOf(err error) Outcome {
	switch {
	case err == nil:
		return Agreed
	case errors.Is(err, ErrForged):
		return BadSignature
	case errors.Is(err, ErrReplayed):
		return Replayed
	}
	return Unsigned
}

// A Ballot is what one resolver returned. Answer counts if Outcome is Agreed.
type Ballot struct {
	Resolver string
	Outcome  Outcome
	Answer   Answer
}

// A Verdict is what the resolvers together say.
type Verdict struct {
	Reached  bool     // Required of them say the same
	Answer   Answer   // if Reached
	Required int      // how many must agree
	Ballots  []Ballot // with Differs where one that is rightly signed is not the answer
}

// Count counts ballots, one for each resolver. More than half of them must be required: two
// answers could be reached at once else.
func Count(required int, ballots []Ballot) Verdict {
	if 2*required <= len(ballots) {
		panic(fmt.Sprintf("quorum: %d of %d is no majority", required, len(ballots)))
	}
	v := Verdict{Required: required, Ballots: append([]Ballot(nil), ballots...)}
	votes := map[Answer]int{}
	for _, b := range ballots {
		if b.Outcome == Agreed {
			votes[b.Answer]++
		}
	}
	for answer, n := range votes {
		if n >= required {
			v.Reached, v.Answer = true, answer
		}
	}
	for i := range v.Ballots {
		b := &v.Ballots[i]
		if b.Outcome == Agreed && len(votes) > 1 && (!v.Reached || b.Answer != v.Answer) {
			b.Outcome = Differs
		}
	}
	return v
}

// Silent reports whether no resolver brought anything.
func (v Verdict) Silent() bool {
	return !slices.ContainsFunc(v.Ballots, func(b Ballot) bool { return b.Outcome != Silent })
}

// Describe says in one line who agreed and who did not.
func (v Verdict) Describe() string {
	agreed := 0
	var rest []string
	for _, b := range v.Ballots {
		if b.Outcome == Agreed {
			agreed++
			continue
		}
		rest = append(rest, fmt.Sprintf("%s %s", b.Resolver, b.Outcome))
	}
	text := fmt.Sprintf("%d of %d resolvers agree, %d are required", agreed, len(v.Ballots), v.Required)
	if len(rest) > 0 {
		text += ": " + strings.Join(rest, ", ")
	}
	return text
}
