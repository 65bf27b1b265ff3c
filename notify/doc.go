// Package notify tells people elsewhere what happens to a region: each change of its state, each alarm when it begins and when
// it ends, and what else an operator should know of. It tells Alertmanagers and webhooks, and has Events written in the cluster.
//
// It guarantees:
//
//   - Nothing is decided by it, and none of its methods that the agent's loop calls blocks: each receiver has a goroutine and a
//     queue of its own.
//   - A message is sent again until its receiver has taken it, for usefulFor at most, with the same id each time: a receiver gets
//     it at least once, and tells a repeat by the id.
//   - Messages come to a receiver in the order in which things happened. Where its queue is full the oldest one is dropped.
//   - What is not delivered is counted and logged.
//   - Of several instances of a region only the one that acts tells anything, but for Events of transitions, which each writes.
//
// It keeps nothing over a restart: what waits when the agent is killed is lost. Each message lists the alarms that hold, so that
// none which an earlier agent has told of is taken to hold for ever.
package notify
