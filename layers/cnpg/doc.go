// Package cnpg is the layer of PostgreSQL databases that CloudNativePG runs: its
// Clusters, one in each region, which make a distributed topology together
// (spec.replica with self and primary).
//
// A Cluster is fenced by one write that demotes it, so that it follows another region,
// and stops its PostgreSQL at once by the annotation cnpg.io/fencedInstances. The
// operator turns the stopped instance into a replica, leaves a demotion token in the
// status, and lifts the annotation. The layer counts a Cluster as fenced once no
// instance accepts writes, which is before that: what each instance says of itself
// decides, not what was ordered. A Cluster that is part of no such topology can't be
// demoted: it is stopped by the annotation, until it is activated.
//
// It is activated by promoting it. What the other regions have published on the
// layers.Board says how:
//
//   - The region that was primary last has been demoted: the promotion carries its token,
//     so the operator promotes once all is replayed that was ever written there. A token
//     counts only if no region, this one included, was primary under a later epoch, and
//     is not of a time that this region's data has gone past.
//   - It is being demoted, or has pledged and so will be: the layer waits for the token,
//     for as long as that region is not silent.
//   - Otherwise the promotion carries no token, and takes place at once. Where the last
//     position that was heard of is ahead of this region's by more than MaxLag, the
//     layer refuses: a person may then set spec.replica.primary by hand, which is kept.
//
// The peers of a Cluster are the names that the annotation failover.openova.io/peers
// lists, separated by commas; without it, all spec.externalClusters but itself. It is
// fenced towards the region known to be primary; else to spec.replica.source, else the
// first peer. While it is fenced it is turned to whichever region becomes primary.
// Clusters of several regions belong together if they have the same system identifier;
// where that is not known, the same namespace and name; or the same namespace, and one
// is called as a peer of the other.
//
// While CloudNativePG's webhook does not answer no Cluster can be written to. The pods of
// one that is to be fenced are deleted then, unless authority is given up by choice: a
// region that comes back from a loss of power would take writes before its operator runs.
//
// It leaves to others:
//
//   - Rebuilding a former primary whose data has gone another way: Findings says that it
//     is needed. No data is ever deleted.
//   - What else CloudNativePG's webhook refuses.
//   - Git: it must not own spec.replica's primary, source and promotionToken, nor the
//     annotations.
package cnpg
