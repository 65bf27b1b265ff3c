// Package chaos checks what became of a group of real daemons while a test killed, froze, stopped and cut them off: from
// what the witness and the layers saw, and not from what the daemons think.
//
// All regions run on one machine, so that there is one boot clock and every time here can be compared.
//
// Authority (docs/protocol.md §2) is computed from the writes that the witness answered. A region sends a write before
// it arrives at the witness, so what [Record.Authority] returns is never shorter than what the region had. It is not
// so long that two honest regions would seem to overlap either: who takes over has read a record only after that arrived,
// and waits for longer than a TTL from there.
//
// A layer is active from the beginning of a run of its activate hook to the end of the next run of its fence hook.
// An agent that is killed or frozen can't fence. That is the one known hole, which [Record.Layers] cuts out: from the
// end of the authority under which the layer was activated, while the agent did not run, and until the first hook that
// it ran afterwards has ended. How long the hole was is measured.
package chaos
