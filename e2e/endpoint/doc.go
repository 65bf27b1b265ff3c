// Package endpoint has instances lead a Service to themselves at a real API server, beside the cluster's own controllers of endpoints
// and of garbage.
package endpoint
