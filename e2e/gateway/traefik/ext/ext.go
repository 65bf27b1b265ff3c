// Package ext is what Traefik keeps in a module of its own, which can't be had: what its forks add to the configuration,
// nothing.
package ext

// HTTP extends the configuration of HTTP.
type HTTP struct{}

// Router extends that of a router.
type Router struct{}
