// Package witness is the port between the lease and the place where regions
// leave their records: single-writer registers in a store that everyone can
// read, with a staleness bound and nothing else (§1).
//
// A [Store] moves bytes; there is one package per store below this one, and
// witnesstest is the suite that each of them runs. [Witness] puts signed,
// versioned records into a store and takes them out again: what it reports as
// found was written by the region whose register it is, for this group. A
// record that can't be believed is reported as malformed, which is evidence
// that its region lives and never a permission.
//
// A flag has a [Stamp] beside it, by which a [Watch] finds out how stale what it is shown is. That is for people.
//
// It guarantees that every attempt to write is made at most once, that no
// record makes it panic or read without bound, and that an error or a time-out
// is reported as "unknown". It leaves to others when to write and read, what
// follows from a record (lease), and whether to try again (agent).
//
// Numbers like §1 in comments are sections of docs/protocol.md.
package witness
