// Package instances runs regions of several daemons, which share the record of who acts in a real API server: the one that acts
// is killed, frozen, asked to stop, restarted, updated, and cut off from the API server, and the region keeps its lease. What says
// so is the witness, which sees each renewal, and the hooks. Questions come through real resolvers.
package instances
