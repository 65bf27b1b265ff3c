// Package bootclock is the clock that authority is counted by: CLOCK_BOOTTIME,
// which nobody sets and which goes on through suspend (docs/protocol.md §2).
//
// Go's own time.Timer and context deadlines count CLOCK_MONOTONIC, which stands
// still in suspend: a region that slept through its deadline would wake up
// believing that it has time left. So every wait that authority hangs on is a
// [Timer].
//
// It guarantees:
//
//   - Clock may be used by any number of goroutines.
//   - A Timer may be Set by one goroutine; its channel may be read, and it may be
//     closed, by any. Set never blocks.
//   - A Timer fires at the instant of its last Set, never before it; an
//     instant that has passed, also during a suspend, fires at once. It may fire
//     once too often (for an instant that was replaced meanwhile), so who reads
//     the channel looks at the clock.
//   - After Close no goroutine and no file descriptor is left.
package bootclock
