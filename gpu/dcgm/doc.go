// Package dcgm reads GPUs by NVIDIA's DCGM: from a host engine that runs already, or from
// one inside this process.
//
// It uses libdcgm.so.4, which is looked for when the source is first read. A call of that
// library may hang for ever: all are made by one goroutine, and Read does not wait for it
// longer than its context lasts. The library is C in this process, so a crash of it is a
// crash of this process; a library that lacks a function is refused before it is called.
// Without cgo the source is not in the build, and Read says so.
package dcgm

import "time"

// Config is which host engine is asked.
type Config struct {
	HostEngine string        // host:port, or the path of a unix socket; empty: one inside this process
	Node       string        // of Kubernetes, that the GPUs are in
	Interval   time.Duration // between readings; the host engine reads the GPUs so often itself
}

// library is what NVIDIA's own packages install (datacenter-gpu-manager-4-core).
const library = "libdcgm.so.4"
