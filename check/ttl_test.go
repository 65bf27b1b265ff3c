package check

import (
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// What is proposed is a configuration that the lease takes, and a ttl of a second less is none.
func TestShortestTimes(t *testing.T) {
	base := lease.Params{Group: "g", Region: "a", Members: []lease.Region{"a", "b"}, PollInterval: time.Second, MaxClockDrift: 0.002}
	for _, tt := range []struct{ slowest, fence, retry, want time.Duration }{
		{5 * time.Millisecond, time.Second, 300 * time.Millisecond, 3 * time.Second},
		{5 * time.Millisecond, 10 * time.Second, 2 * time.Second, 13 * time.Second},
		{300 * time.Millisecond, time.Second, 300 * time.Millisecond, 5 * time.Second},
		{2 * time.Second, 500 * time.Millisecond, time.Second, 21 * time.Second},
	} {
		p := base
		p.FenceTimeout, p.RetryInterval = tt.fence, tt.retry
		p = shortestTimes(p, tt.slowest)
		if p.TTL != tt.want {
			t.Errorf("%+v: got ttl %v", tt, p.TTL)
		}
		if v := p.Violations(); len(v) > 0 {
			t.Errorf("%+v: %s", tt, v[0].Text)
		}
		if p.TTL -= time.Second; len(p.Violations()) == 0 {
			t.Errorf("%+v: a ttl of %v would do too", tt, p.TTL)
		}
	}
}
