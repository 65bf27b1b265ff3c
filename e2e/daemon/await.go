package daemon

import (
	"fmt"
	"testing"
	"time"
)

// Patience is for one condition, far above what any takes: the race detector, and two busy cores. It is no measure of anything: it only
// ends a test that hangs.
const Patience = 3 * time.Minute

// LookAgain is how often a condition is looked at. What was missed for so long has no part in what tests judge.
const LookAgain = 25 * time.Millisecond

// Await waits until the region's agent says what is to hold of it, as in "is active", and returns what it says.
func (r *Region) Await(tb testing.TB, what string, holds func(Status) bool) (s Status) {
	tb.Helper()
	var err error
	Await(tb, string(r.Name)+" "+what, func() bool {
		s, err = r.Status(tb.Context())
		return err == nil && holds(s)
	}, func() string { return fmt.Sprintf("it is %+v, %v", s, err) })
	return s
}

// Ask is what the region's agent says when it answers, for those who ask once: on a busy machine one answer may come too late.
func (r *Region) Ask(tb testing.TB) Status {
	tb.Helper()
	return r.Await(tb, "answers", func(Status) bool { return true })
}

// Await waits until a condition holds, and fails the test if that is in vain; instead says what holds then.
func Await(tb testing.TB, what string, holds func() bool, instead ...func() string) {
	tb.Helper()
	limit := time.NewTimer(Patience)
	defer limit.Stop()
	tick := time.NewTicker(LookAgain)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit.C:
			for _, say := range instead {
				tb.Log(say())
			}
			tb.Fatalf("waited %v in vain: %s", Patience, what)
		}
	}
}
