//go:build cgo && linux

package dcgm

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/openova-io/failoverd/gpu"
)

// InBuild is whether this build can read by DCGM at all.
const InBuild = true

// A Source reads by DCGM. The library has one connection in a process, so there can be one
// Source. One goroutine at a time calls Read.
type Source struct {
	cfg   Config
	work  chan chan<- answer // to the goroutine that calls the library
	done  chan struct{}      // closed when that ends
	since atomic.Int64       // Unix time in ns since which that is at work
}

type answer struct {
	readings []gpu.Reading
	err      error
}

// Open returns a source that connects when it is first read, and again after a failure.
func Open(cfg Config) *Source {
	s := &Source{cfg: cfg, work: make(chan chan<- answer), done: make(chan struct{})}
	go s.callLibrary()
	return s
}

// Read reads all GPUs, or fails: that the library does not answer until ctx ends is a
// failure too. An answer that comes later is thrown away.
func (s *Source) Read(ctx context.Context) ([]gpu.Reading, error) {
	reply := make(chan answer, 1)
	select {
	case s.work <- reply:
	case <-ctx.Done():
		return nil, s.hangs()
	}
	select {
	case a := <-reply:
		return a.readings, a.err
	case <-ctx.Done():
		return nil, s.hangs()
	}
}

func (s *Source) hangs() error {
	took := time.Since(time.Unix(0, s.since.Load())).Round(time.Millisecond)
	return fmt.Errorf("DCGM has not answered for %v; look at nv-hostengine and at the driver (nvidia-smi)", took)
}

// Close disconnects. If the library hangs, its goroutine is left behind after a second.
func (s *Source) Close() {
	close(s.work)
	select {
	case <-s.done:
	case <-time.After(time.Second):
	}
}

// callLibrary is the goroutine that calls the library.
func (s *Source) callLibrary() {
	var open *session
	defer func() { open.close(); close(s.done) }()
	for reply := range s.work {
		s.since.Store(time.Now().UnixNano())
		var a answer
		if open == nil {
			open, a.err = connect(s.cfg)
		}
		if a.err == nil {
			a.readings, a.err = open.read()
		}
		if a.err != nil {
			open.close()
			open = nil
		}
		reply <- a
	}
}
