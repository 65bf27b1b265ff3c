package resolvers

import (
	"fmt"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// startKnot starts Knot Resolver's kresd. 0x20, QNAME minimisation and validation are on unless it is told otherwise.
func startKnot(tb testing.TB, address string, r root) *daemon.Process {
	tb.Helper()
	dir := tb.TempDir()
	config := write(tb, dir, "kresd.conf",
		"net.ipv6 = false", "option('ALLOW_LOCAL', true) -- glue on loopback", fmt.Sprintf("net.listen('%s', %d, { kind = 'dns' })", ip(address), port), fmt.Sprintf("net.outgoing_v4('%s')", ip(address)),
		"modules = { 'hints > iterate', 'predict', 'serve_stale < cache' }",
		fmt.Sprintf("hints.root_file('%s')", r.hints),
		"trust_anchors.remove('.') -- that of the internet", fmt.Sprintf("trust_anchors.add('%s')", r.anchorText()),
		"cache.size = 16 * MB")
	return start(tb, "kresd", find(tb, "kresd"), "-n", "-c", config, dir)
}
