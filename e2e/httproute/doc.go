// Package httproute tries failoverd's layer of routes against a real API server: the shapes of the Gateway API's own
// conformance tests, a thousand routes, writers that put the original back, and processes that are killed midway.
package httproute
