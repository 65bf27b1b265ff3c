package kube

import (
	"context"
	"fmt"
	"time"
)

const (
	firstPoll   = 50 * time.Millisecond
	slowestPoll = time.Second

	// attemptTime is after how long an attempt that waits says what for.
	attemptTime = 3 * time.Second
)

// Poll does something until it succeeds, again each time but the first, and returns what was missing last if that takes long: then
// the next attempt goes on.
func Poll(ctx context.Context, do func(again bool) error) error {
	ends := time.Now().Add(attemptTime)
	for pause := firstPoll; ; pause = min(pause*3/2, slowestPoll) {
		err := do(pause > firstPoll)
		if err == nil || time.Now().Add(pause).After(ends) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}
