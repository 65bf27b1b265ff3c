package resolvers

import (
	"fmt"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// startUnbound starts unbound.
func startUnbound(tb testing.TB, address string, r root) *daemon.Process {
	tb.Helper()
	dir := tb.TempDir()
	config := write(tb, dir, "unbound.conf", "server:",
		" interface: "+ip(address), " outgoing-interface: "+ip(address), fmt.Sprintf(" port: %d", port),
		" do-ip6: no", " access-control: 127.0.0.0/8 allow", " do-not-query-localhost: no",
		fmt.Sprintf(" directory: %q", dir), ` module-config: "validator iterator"`, ` chroot: ""`, ` username: ""`, ` pidfile: ""`, " use-syslog: no", " do-daemonize: no",
		fmt.Sprintf(" root-hints: %q", r.hints), fmt.Sprintf(" trust-anchor: %q", r.anchorText()),
		" use-caps-for-id: yes", " qname-minimisation: yes", " harden-referral-path: yes", " aggressive-nsec: yes",
		" prefetch: yes", " prefetch-key: yes", " serve-expired: yes",
		"remote-control:", " control-enable: no")
	return start(tb, "unbound", find(tb, "unbound"), "-d", "-c", config)
}
