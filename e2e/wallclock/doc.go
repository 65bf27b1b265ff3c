// Package wallclock builds the daemon with a wall clock that a test can set, forward and back, while it runs. The machine's
// own clock can't be set for one process alone: the kernel has no namespace for it, and a preloaded library such as
// libfaketime's is not asked by programs in Go. So it is time.Now that is changed, by an overlay over the standard library
// (`go help build`): everything in the daemon and in its libraries is told the time by that. Timers and the clock of the lease
// are not the wall clock, and stay.
//
// The first build compiles everything anew, which takes minutes.
package wallclock
