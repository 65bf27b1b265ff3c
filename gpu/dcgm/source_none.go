//go:build !cgo || !linux

package dcgm

import (
	"context"
	"errors"

	"github.com/openova-io/failoverd/gpu"
)

// InBuild is whether this build can read by DCGM at all.
const InBuild = false

var errNotInBuild = errors.New("DCGM is not in this build of failoverd, which was built without cgo; use source dcgm-exporter, or build with CGO_ENABLED=1 and a C compiler on Linux")

// A Source reads nothing in this build.
type Source struct{}

// Open returns a source each of whose reads fails.
func Open(Config) *Source { return &Source{} }

// Read says that DCGM is not in this build.
func (*Source) Read(context.Context) ([]gpu.Reading, error) { return nil, errNotInBuild }

// Close does nothing.
func (*Source) Close() {}
