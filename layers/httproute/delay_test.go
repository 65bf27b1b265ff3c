package httproute

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestGatewayDelayAfterFault: a write that landed counts for gateway_delay whatever became of its answer.
func TestGatewayDelayAfterFault(t *testing.T) {
	for name, tt := range map[string]struct {
		fault    fault
		attempts int
	}{
		"the answer is lost":               {answerLost, 2},
		"the client is told to come again": {sentAgain, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const delay = 2 * time.Second
				s, layer := newServer(t, Config{GatewayDelay: delay}, parse(t, shop))
				if err := layer.Activate(t.Context(), order(1)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Hour) // active
				s.fault = tt.fault
				for attempt := 1; ; attempt++ {
					began := time.Now()
					err := layer.Fence(t.Context(), order(2))
					if err != nil && attempt < tt.attempts {
						time.Sleep(100 * time.Millisecond)
						continue
					}
					if took := time.Since(began); err != nil || attempt != tt.attempts || took < delay {
						t.Errorf("attempt %d: done after %v, %v; want it after %v, in attempt %d", attempt, took, err, delay, tt.attempts)
					}
					return
				}
			})
		})
	}
}
