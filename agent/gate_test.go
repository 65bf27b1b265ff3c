package agent_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// TestGateShutsForProber: the gate of an agent whose owner stands still shuts when fencing is due, not at the deadline. Whoever
// acts on it probes now and then, and learns of it late: by less than fence_timeout, so before another region may take.
func TestGateShutsForProber(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		a := w.regions["a"]
		a.saved = lease.Authority{Epoch: 4, Deadline: w.at(30 * time.Second), BootID: "boot"}
		w.store.hang() // so that authority is not extended
		a.start()
		w.until(time.Second)
		a.freeze()
		frozen := a.frozen
		for _, tt := range []struct {
			at   time.Duration
			want int
		}{
			{19900 * time.Millisecond, http.StatusOK},
			{20 * time.Second, http.StatusServiceUnavailable}, // deadline - fence_timeout
		} {
			w.until(tt.at)
			// The owner stands still, and the page does not: its clock can be read.
			a.set(func() { a.frozen = nil })
			code, body := a.get("/readyz?gate=g")
			a.set(func() { a.frozen = frozen })
			if code != tt.want {
				t.Errorf("at %v the gate says %d %s, want %d", tt.at, code, body, tt.want)
			}
		}
		w.store.heal()
		close(frozen)
		a.set(func() { a.frozen = nil })
	})
}
