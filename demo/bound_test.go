package demo

import (
	"strings"
	"testing"
	"time"
)

// TestBounds holds the demo to the arithmetic of lease.
func TestBounds(t *testing.T) {
	p := Params()
	m := measured{roundTrip: 20 * time.Millisecond, question: 30 * time.Millisecond, save: 7 * time.Millisecond, pause: 110 * time.Millisecond}
	const seen = 227 * time.Millisecond // save + 2 pauses
	for _, tt := range []struct {
		name    string
		got     bound
		want    time.Duration
		formula string
	}{
		{"takeover", m.takeover(p), p.LongestGapFresh(m.roundTrip) + seen, "longer(ttl + staleness) + poll_interval + 3 round trips + save + 2 pauses"},
		{"isolated", m.isolated(p), p.LongestGapFresh(m.roundTrip) - p.FenceStart() + seen,
			"longer(ttl + staleness) + poll_interval + 3 round trips - (ttl - fence_timeout) + save + 2 pauses"},
		{"goesOn", m.goesOn(p), seen, "0: authority goes on + save + 2 pauses"},
		{"restarted", m.restarted(time.Second), time.Second + seen, " + save + 2 pauses"},
		{"handedOver", m.handedOver(p), 67*time.Millisecond + seen, "save + 2 questions + save + 2 pauses"},
		{"firstStart", m.firstStart(p), p.RequestTimeout + 60*time.Millisecond + seen, "max(request_timeout, retry_interval) + 2 questions + save + 2 pauses"},
	} {
		if tt.got.value != tt.want || !strings.HasSuffix(tt.got.formula, tt.formula) {
			t.Errorf("%s: got %v = %s, want %v = %s", tt.name, tt.got.value, tt.got.formula, tt.want, tt.formula)
		}
	}
}
