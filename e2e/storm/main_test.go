package storm

import (
	"os"
	"testing"

	"github.com/openova-io/failoverd/e2e/netns"
)

// TestMain runs the tests in the network of the router.
func TestMain(m *testing.M) { os.Exit(netns.Main(m)) }
