// Package gateway tests the layer httproute with a real gateway: what a client gets that asks Traefik.
//
// It belongs to the second tier: make gateway builds Traefik, and runs it. Its tests run in a network namespace of their own,
// since the API server takes no endpoints at 127.0.0.0/8.
package gateway
