package notify

import (
	"errors"
	"math/rand/v2"
	"time"
)

const (
	// firstPause passes before a message is sent again, then twice as much each time, up to slowestPause, or as long as the
	// receiver asks for, up to longestWish. A random part of it, half at most, is left out.
	firstPause   = time.Second
	slowestPause = time.Minute
	longestWish  = 5 * time.Minute
)

// A RefusedError is a receiver's answer that it will never take this message.
type RefusedError struct{ Err error }

func (e *RefusedError) Error() string { return e.Err.Error() }
func (e *RefusedError) Unwrap() error { return e.Err }

// A LaterError is a receiver's wish to be left alone for a while.
type LaterError struct {
	Err   error
	After time.Duration
}

func (e *LaterError) Error() string { return e.Err.Error() }
func (e *LaterError) Unwrap() error { return e.Err }

// pause is the time until the next attempt, after so many that failed before this one.
func pause(failures int, err error) time.Duration {
	p := slowestPause
	if failures < 10 { // no overflow
		p = min(firstPause<<failures, slowestPause)
	}
	p -= rand.N(p / 2) // so that agents which lost a receiver together don't come back together
	var later *LaterError
	if errors.As(err, &later) {
		p = max(p, min(later.After, longestWish))
	}
	return p
}
