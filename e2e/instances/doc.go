// Package instances runs regions of several daemons, which share the record of who acts in a real API server: the one that acts
// is killed, frozen and asked to stop, and the region keeps its lease.
package instances
