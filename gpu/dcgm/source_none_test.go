//go:build !cgo || !linux

package dcgm_test

import (
	"context"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/gpu/dcgm"
)

// TestNotInBuild is of a build without cgo: CGO_ENABLED=0 go test ./gpu/dcgm
func TestNotInBuild(t *testing.T) {
	s := dcgm.Open(dcgm.Config{})
	defer s.Close()
	if readings, err := s.Read(context.Background()); err == nil || readings != nil || !strings.Contains(err.Error(), "not in this build") {
		t.Errorf("got %v and %v, want that DCGM is not in this build", readings, err)
	}
	if dcgm.InBuild {
		t.Error("InBuild: got true, want false")
	}
}
