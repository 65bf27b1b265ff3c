// Package layers is the port through which the daemon makes a region active or
// inactive: one Layer for each thing that traffic or data goes through (the
// route at the edge, the network policy, the database, a hook). One subpackage
// each holds an adapter.
//
// A layer holds no policy: whether a region may be active is decided by
// package lease, and when to try, how often and in which order by the caller
// (agent/applier). A layer makes one attempt at a time and says how it ended.
package layers
