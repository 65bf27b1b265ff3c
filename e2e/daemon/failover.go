package daemon

import (
	"slices"
	"testing"
	"time"
)

// Failover kills the region that is active, and waits until another one is, which was not before. It fails the test if that one was
// activated under no newer epoch, or before the authority of the first had ended. The gap is from the last renewal of the first
// to that activation.
func (g *Group) Failover(tb testing.TB, first *Region) (second *Region, gap time.Duration) {
	tb.Helper()
	if err := first.Process().Kill(); err != nil {
		tb.Fatal(err)
	}
	had := first.Authority(tb)
	second = Holder(tb, slices.DeleteFunc(slices.Clone(g.Regions), func(r *Region) bool { return r == first })...)
	runs, err := second.HookRuns()
	if err != nil {
		tb.Fatal(err)
	}
	i := slices.IndexFunc(runs, func(run HookRun) bool { return run.Action == "activate" })
	if i < 0 {
		tb.Fatalf("%s is active, and its hook has never been run for it: %v", second.Name, runs)
	}
	if run := runs[i]; run.Epoch <= had.Epoch || run.At < had.Deadline {
		tb.Errorf("%s was activated for epoch %d, %v before the authority of %s for epoch %d ended", second.Name, run.Epoch, had.Deadline.Sub(run.At), first.Name, had.Epoch)
	}
	return second, runs[i].At.Sub(had.Deadline.Add(-g.Params.TTL)).Round(time.Millisecond)
}
