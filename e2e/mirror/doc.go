// Package mirror tries what the daemon shows in a cluster, a Lease and Events, on a real API server.
package mirror
