package bench

import (
	"slices"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// TestElections has the first of three candidates lead, then another one when that is killed, and another one when that steps down.
func TestElections(t *testing.T) {
	p := &electionPrograms{tb: t}
	for _, c := range []Contender{
		leaderElection{15 * time.Second, 10 * time.Second, 2 * time.Second, true, ""}.contender(t, p),
		election{5 * time.Second, ""}.contender(t, p),
	} {
		t.Run(c.Name, func(t *testing.T) {
			t.Log(c.Version)
			group := c.Start(t, 3, nil)
			nodes := group.Nodes()
			first := leader(t, nodes)
			first.Kill()
			second := leader(t, nodes, first)
			first.Start()
			if err := group.Switchover(t.Context(), second, first); err != nil {
				t.Fatal(err)
			}
			leader(t, nodes, second)
		})
	}
}

// leader is the one of the nodes, but for some, that leads: it is healthy, and has acted.
func leader(t *testing.T, nodes []Node, but ...Node) (leader Node) {
	t.Helper()
	daemon.Await(t, "one leads", func() bool {
		for _, n := range nodes {
			if !slices.Contains(but, n) && n.Healthy(t.Context()) && len(n.Acts()) > 0 {
				leader = n
			}
		}
		return leader != nil
	})
	return leader
}
