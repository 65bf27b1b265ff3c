package quorum_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// TestMain has more scenarios run at once than there are processors, unless it is told otherwise: they mostly wait.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(m.Run())
}

// TestQuorum runs each scenario on a group and with resolvers of its own. The longest ones come first.
func TestQuorum(t *testing.T) {
	binaries := daemon.Build(t, true)
	for _, scenario := range []struct {
		name string
		run  func(*testing.T, daemon.Binaries)
	}{
		{"witness down", witnessDown},
		{"witness down, holder dead", holderDead},
		{"holder cut off", holderCutOff},
		{"switchover", switchover},
		{"bad resolvers", badResolvers},
		{"stale witness, no quorum", staleWithoutQuorum},
		{"degraded", degraded},
		{"veto", veto},
	} {
		t.Run(scenario.name, func(t *testing.T) {
			t.Parallel()
			scenario.run(t, binaries)
		})
	}
}
