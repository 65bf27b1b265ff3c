package etcd_test

import (
	"testing"

	"github.com/openova-io/failoverd/e2e/etcd"
)

// TestCutEnds: a member that is cut off when its test ends does not keep the next one of its address off from the others.
func TestCutEnds(t *testing.T) {
	t.Run("cut", func(t *testing.T) { etcd.StartApart(t, 3).Cut(t, 1) })
	t.Run("next", func(t *testing.T) { etcd.StartApart(t, 3).Await(t, 1) })
}
