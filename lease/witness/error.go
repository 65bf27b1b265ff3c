package witness

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// A Class sorts what can go wrong with a witness by what there is to do about
// it. It is a label of metrics and logs.
type Class string

const (
	// Unreachable: no answer, none in time, or one that says that the store is
	// ill. Nothing is known of the attempt; try again.
	Unreachable Class = "unreachable"
	// RateLimited: the store asks for fewer requests; see Error.RetryAfter.
	RateLimited Class = "rate_limited"
	// Refused: the store does not let this configuration in. Trying again
	// without a change will not help.
	Refused Class = "refused"
	// Quota: the store takes no more for now: a daily quota, a full disk.
	Quota Class = "quota"
	// BadAnswer: something answered that is not the store: a proxy, a sign-in
	// page, the wrong address.
	BadAnswer Class = "bad_answer"
	// Malformed: there is a record, and it can't be parsed or believed.
	Malformed Class = "malformed"
	// Invalid: the call itself makes no sense; nothing was sent.
	Invalid Class = "invalid"
)

// An Error says what went wrong with one attempt, and what to do.
type Error struct {
	Class      Class
	Op         string        // "put", "get", "open", "encode" or "decode"
	Key        string        // of the register; or what was opened
	RetryAfter time.Duration // how long the store asks to wait; 0 if it did not say
	Remedy     string        // what a person can do, in one sentence without a full stop; may be empty
	Err        error         // the cause, never nil
}

// Error is one line: what, where, why and what to do.
func (e *Error) Error() string {
	s := fmt.Sprintf("%s %q: %s: %v", e.Op, e.Key, e.Class, e.Err)
	if e.RetryAfter > 0 {
		s += fmt.Sprintf(" (retry after %v)", e.RetryAfter)
	}
	if e.Remedy != "" {
		s += "; " + e.Remedy
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ClassOf is the class of an error that came out of this package or a Store:
// empty for nil and for ErrNotFound, which are answers, and Unreachable for an
// error of unknown kind, since "unknown" is what it means.
func ClassOf(err error) Class {
	var e *Error
	switch {
	case err == nil, errors.Is(err, ErrNotFound):
		return ""
	case errors.As(err, &e):
		return e.Class
	}
	return Unreachable
}

// Interrupted is the error of an attempt that ended with its context: nothing
// is known of it.
func Interrupted(ctx context.Context, op, key string) *Error {
	return &Error{Class: Unreachable, Op: op, Key: key, Err: fmt.Errorf("wait for the store: %w", ctx.Err())}
}
