package kvtest

import "time"

// Faults is what one client meets. The zero value is a store without faults.
// The fields of type float64 are the chance, from 0 to 1, that a request meets
// the fault; where several would, the first in this order does.
type Faults struct {
	// Hang: no answer until the client gives up or the server is closed.
	Hang float64
	// RateLimited: 429, with RetryAfter (in whole seconds) if that is not 0.
	RateLimited float64
	RetryAfter  time.Duration
	// OverQuota: writes are refused for the day.
	OverQuota float64
	// ServerError: 500 and an envelope, or 502 and a page in HTML.
	ServerError float64
	// SuccessFalse: HTTP 200 with "success": false.
	SuccessFalse float64
	// Late: a write is applied after a time between LateMin and LateMax, drawn
	// evenly, even after newer ones; the connection is cut at once, unanswered.
	Late             float64
	LateMin, LateMax time.Duration
	// LoseAnswer: a write is applied, and the connection is cut unanswered.
	LoseAnswer float64
	// Cut: the connection is cut in the middle of the answer's body. A write
	// has been applied.
	Cut float64

	// ApplyFailed is the chance that a write that met Hang, ServerError or
	// SuccessFalse was applied nevertheless.
	ApplyFailed float64

	// Staleness: whatever a read fetches, a miss too, is served to this client
	// again for this long. It is the Δ that the client sees; a test of a store
	// that breaks its bound sets it above the declared one.
	Staleness time.Duration
	// Caches is the number of caches that reads of this client are spread over
	// at random, so that a read can return an older value than the one before.
	// 0 counts as 1.
	Caches int
}
