package bench

import (
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// TestPatroni: the first node takes writes, and when it dies, another one does.
func TestPatroni(t *testing.T) { testTakeover(t, patronis(t)[2]) }

// testTakeover has the holder of a group die, and awaits that another node acts.
func testTakeover(t *testing.T, c Contender) {
	t.Logf("%s, %s", c.Name, c.Version)
	all := c.Start(t, nodes, nil).Nodes()
	daemon.Await(t, "the first node acts, and is healthy", func() bool {
		return len(all[0].Acts()) > 0 && all[0].Healthy(t.Context())
	})
	for _, node := range all[1:] {
		if acts := node.Acts(); len(acts) > 0 {
			t.Errorf("%s acts beside the first: %v", node.Name(), acts)
		}
	}
	t.Logf("it uses %+v", all[0].Usage())
	all[0].Kill()
	last := all[0].Acts()
	var next Node
	daemon.Await(t, "another node acts, and is healthy", func() bool {
		for _, node := range all[1:] {
			if len(node.Acts()) > 0 && node.Healthy(t.Context()) {
				next = node
			}
		}
		return next != nil
	})
	t.Logf("%s acts %v after it", next.Name(), next.Acts()[0].From.Sub(last[len(last)-1].To))
}
