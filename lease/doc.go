// Package lease is the protocol of failoverd: which region of a group may be
// active, decided by a pure state machine.
//
// [State.Step] takes the time and one event and returns the actions to carry
// out and the decision that now stands. The package has no I/O, no goroutine,
// no clock, no log and no randomness: the same events at the same instants
// always give the same actions, in production, in the simulator (lease/sim)
// and in a replay of the journal. The caller owns a State and calls Step from
// one goroutine.
//
// It guarantees that at no true time two regions of a group hold authority, as
// long as the assumptions of docs/protocol.md hold: the witness is no staler
// than its declared bound, clocks drift no faster than Params.MaxClockDrift
// says, and every region runs with the same Params.Safety. It leaves to others
// to carry out actions by their deadlines (agent), to move bytes
// (lease/witness) and to fence layers (layers).
//
// Numbers like §3 in comments are sections of docs/protocol.md.
package lease
