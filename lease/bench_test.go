package lease_test

import (
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// BenchmarkStep is a standby of three regions that polls: per operation one
// Tick that sends a round, and the round's answer.
func BenchmarkStep(b *testing.B) {
	p := lease.Params{
		Group: "g", Region: "a", Members: []lease.Region{"a", "b", "c"},
		TTL: 30 * time.Second, RenewInterval: 10 * time.Second, RetryInterval: 2 * time.Second, PollInterval: 2 * time.Second,
		RequestTimeout: 5 * time.Second, FenceTimeout: 10 * time.Second, MaxClockDrift: 0.002, Staleness: time.Minute,
	}
	s := lease.New(p).Strict()
	now := lease.Instant(0)
	actions, _ := s.Step(now, lease.Start{Incarnation: 1, BootID: "b"})
	for _, a := range actions {
		if fence, ok := a.(lease.Fence); ok {
			now = now.Add(time.Second)
			s.Step(now, lease.LayersFenced{ID: fence.ID})
			break
		}
	}
	flags := make([]lease.FlagRead, 3)
	var seq uint64
	b.ReportAllocs()
	for b.Loop() {
		now = now.Add(p.PollInterval)
		actions, _ := s.Step(now, lease.Tick{})
		for _, a := range actions {
			if round, ok := a.(lease.ReadRound); ok {
				seq++
				flags[0] = lease.FlagRead{Outcome: lease.ReadMissing}
				flags[1] = lease.FlagRead{Outcome: lease.ReadFound, Flag: lease.Flag{State: lease.FlagActive, Epoch: 1, WriteID: lease.NewWriteID(7, seq/5+1)}}
				flags[2] = lease.FlagRead{Outcome: lease.ReadMissing}
				s.Step(now.Add(50*time.Millisecond), lease.RoundRead{ID: round.ID, Flags: flags})
				break
			}
		}
		now = now.Add(100 * time.Millisecond)
	}
}
