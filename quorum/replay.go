package quorum

import (
	"errors"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// Why a question that is rightly signed does not count.
var (
	// ErrStale: it was sent too long ago.
	ErrStale = errors.New("question that was sent too long ago")
	// ErrFuture: it was sent later than now, so one of the two clocks is wrong.
	ErrFuture = errors.New("question from the future")
	// ErrFlood: its asker has asked more than anyone needs to.
	ErrFlood = errors.New("too many questions")
)

// A Window is the time in which a question counts, and what came in it. It is not safe for
// concurrent use.
type Window struct {
	span time.Duration
	most int
	seen map[lease.Region]map[Nonce]time.Time // until when each is remembered, by asker
}

// NewWindow returns a window: a question counts while the wall clocks of asker and asked differ
// from its time of sending by span at most. Of each asker it remembers so many questions at once;
// only members, whose questions are signed, can come near that.
func NewWindow(span time.Duration, most int) *Window {
	return &Window{span: span, most: most, seen: map[lease.Region]map[Nonce]time.Time{}}
}

// Admit reports whether q, whose signature is right, counts at now, and whether it is the first
// time that it came: each of several resolvers brings the same question, and all are to get the
// same answer.
func (w *Window) Admit(q Question, now time.Time) (first bool, err error) {
	switch age := now.Sub(q.Sent); {
	case age > w.span:
		return false, ErrStale
	case age < -w.span:
		return false, ErrFuture
	}
	seen := w.seen[q.Asker]
	if seen == nil {
		seen = map[Nonce]time.Time{}
		w.seen[q.Asker] = seen
	}
	if _, ok := seen[q.Nonce]; ok {
		return false, nil
	}
	if len(seen) >= w.most {
		for nonce, until := range seen {
			if now.After(until) {
				delete(seen, nonce)
			}
		}
	}
	if len(seen) >= w.most {
		return false, ErrFlood
	}
	// For as long as it would count, by this clock: longer than its own span if it came early.
	seen[q.Nonce] = q.Sent.Add(w.span)
	return true, nil
}
