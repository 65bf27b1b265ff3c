// Package applier carries out what the lease's core decides about the layers of
// a region: [lease.Fence] and [lease.Activate], attempt by attempt, until all
// layers are there or a newer order takes its place.
//
// It guarantees:
//
//   - The newest order counts. One that is replaced is over at once: its attempts
//     are called off, no further one begins, and its Done is not reported any
//     more, but for one that was on its way already.
//   - On one layer nothing of two orders ever overlaps: an attempt begins only
//     when the one before has returned. So no activation lands after a fence has
//     begun on that layer (see [layers.Layer] for what a return promises).
//   - A layer whose attempt does not return, though it was called off, holds up
//     nobody but itself, and a later layer of an activation.
//   - Layers are acted on in the stages of [layers.Plan]. Fencing never gives up, and
//     by its deadline it has begun on every layer, whatever became of the others.
//   - No attempt of an activation begins or goes on at or after the deadline, by a
//     clock that counts suspend. A process that is frozen can't hold to that until it
//     is thawed; then it is the first thing that happens.
//   - What others change on a [layers.Watcher] is put back while the order stands.
//   - Fence, Activate and Extend never block, and may be called by any goroutine.
//     Calls count in the order in which they are made.
//   - Events are reported one after the other, from a goroutine of the applier.
//   - After Close no goroutine and no process is left.
//
// It holds no policy: it neither judges epochs nor fences by itself when a
// deadline has passed.
package applier
