package controlplane

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// Shared is planes that the tests of one binary have in common.
type Shared struct {
	n       int
	options Options

	once   sync.Once
	planes []*Plane
	err    error
}

// Share is n planes that are started when a test first asks for them.
func Share(n int, options Options) *Shared { return &Shared{n: n, options: options} }

// Planes are the planes; they run. A test that they could not be started for fails.
func (s *Shared) Planes(tb testing.TB) []*Plane {
	tb.Helper()
	s.once.Do(func() { s.planes, s.err = start(tb, s.n, s.options) })
	if s.err != nil {
		tb.Fatalf("controlplane: %v", s.err)
	}
	return s.planes
}

// Main runs all tests of the binary, for TestMain, and then stops the planes. It returns the exit code.
func (s *Shared) Main(m *testing.M) int {
	code := m.Run()
	if err := stop(s.planes); err != nil {
		fmt.Fprintf(os.Stderr, "controlplane: %v\n", err)
		return 1
	}
	return code
}
