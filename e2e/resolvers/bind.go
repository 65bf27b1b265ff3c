package resolvers

import (
	"fmt"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// startBIND starts BIND's named, which asks from another address than it listens on: that has to be one that the machine's
// loopback interface names. It prefetches unless it is told otherwise, and has no 0x20.
func startBIND(tb testing.TB, address, from string, r root) *daemon.Process {
	tb.Helper()
	dir := tb.TempDir()
	host, port := split(address)
	config := write(tb, dir, "named.conf", "options {",
		fmt.Sprintf("  directory %q;", dir), fmt.Sprintf("  listen-on port %d { %s; };", port, host), fmt.Sprintf("  query-source address %s;", ip(from)),
		"  listen-on-v6 { none; };", "  pid-file none;", "  session-keyfile none;",
		"  recursion yes;", "  allow-query { 127.0.0.0/8; };", "  allow-recursion { 127.0.0.0/8; };",
		"  dnssec-validation yes;", "  qname-minimization relaxed;", "  stale-cache-enable yes;", "  stale-answer-enable yes;",
		"};", "controls { };",
		fmt.Sprintf("trust-anchors { . static-ds %d %d %d %q; };", r.anchor.KeyTag, r.anchor.Algorithm, r.anchor.DigestType, r.anchor.Digest),
		fmt.Sprintf("zone \".\" { type hint; file %q; };", r.hints))
	return start(tb, "named", find(tb, "named"), "-4", "-g", "-n", "1", "-c", config)
}
