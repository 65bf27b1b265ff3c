// Package check asks what runs, for failoverd check --live: the witness, the resolvers, every
// region of the group through each resolver, and the cluster that the layers act on. What it finds
// is for a person.
//
// It guarantees that it changes nothing of a region: it writes no record, and its questions are for
// epoch 0, which an agent answers and does nothing else about (docs/protocol.md §4). A store that
// has a self-test is written to for that, and to measure its staleness, at keys that are no
// record's and that are removed where its rights allow that. Every call has a deadline, and what
// did not come by then is unknown. It leaves to others what the configuration says by itself.
package check
