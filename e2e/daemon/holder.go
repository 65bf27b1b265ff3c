package daemon

import (
	"context"
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

// Whole says who is active and who stands by in a group with a quorum, if it is whole: one is active, all others stand by, their
// layers say the same, and all reach one another and the witness.
func Whole[R interface {
	Status(context.Context) (Status, error)
}](ctx context.Context, regions []R) (holder R, standbys []R, ok bool) {
	for _, r := range regions {
		s, err := r.Status(ctx)
		well := err == nil && s.Witness.Up
		for _, p := range s.Peers {
			well = well && p.Known && p.Quorum != nil && p.Quorum.Reached
		}
		switch {
		case !well:
			return holder, nil, false
		case s.State == lease.Active && s.AllLayers("active"):
			holder = r
		case s.State == lease.Standby && s.AllLayers("inactive"):
			standbys = append(standbys, r)
		default:
			return holder, nil, false
		}
	}
	return holder, standbys, len(standbys) == len(regions)-1
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
