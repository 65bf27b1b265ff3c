package daemon

import (
	"testing"

	"github.com/openova-io/failoverd/lease"
)

// Holder waits until one of the regions is active, with its layers, and returns it.
func Holder(tb testing.TB, regions ...*Region) (active *Region) {
	tb.Helper()
	Await(tb, "one is active", func() bool {
		for _, r := range regions {
			if s, err := r.Status(tb.Context()); err == nil && s.State == lease.Active && s.AllLayers("active") {
				active = r
				return true
			}
		}
		return false
	})
	return active
}

// Authority is what the region has on disk.
func (r *Region) Authority(tb testing.TB) lease.Authority {
	tb.Helper()
	a, err := r.Saved()
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// Transitions are how many the regions have been through.
func Transitions(tb testing.TB, regions ...*Region) (n int) {
	tb.Helper()
	for _, r := range regions {
		h, err := r.History()
		if err != nil {
			tb.Fatal(err)
		}
		n += len(h)
	}
	return n
}
