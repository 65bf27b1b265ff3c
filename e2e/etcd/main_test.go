package etcd_test

import (
	"os"
	"testing"

	"github.com/openova-io/failoverd/e2e/netns"
)

func TestMain(m *testing.M) { os.Exit(netns.Main(m)) }
