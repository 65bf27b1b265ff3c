package resolvers

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/openova-io/failoverd/lease"
)

// root is what resolvers have to know of the root: its server, and the key that it is signed with.
type root struct {
	hints  string // a file
	anchor *dns.DS
}

// anchorText is the anchor as a line of a zone file.
func (r root) anchorText() string { return strings.ReplaceAll(r.anchor.String(), "\t", " ") }

// startZones starts the servers of the root, which delegates the parent zone to the other, and of the parent zone, which
// delegates each region's. Both zones are signed.
func startZones(tb testing.TB, n *network, regions map[lease.Region][]string) root {
	tb.Helper()
	var delegations []string
	for _, r := range slices.Sorted(maps.Keys(regions)) {
		name := string(r) + "." + Zone + "."
		delegations = append(delegations, name+" 300 IN NS "+name)
		for _, address := range regions[r] {
			delegations = append(delegations, name+" 300 IN A "+ip(address))
		}
	}
	dir, address := tb.TempDir(), n.next()
	secure := serve(tb, dir, parent+".", address, delegations)
	rootAddress := n.next()
	anchor := serve(tb, dir, ".", rootAddress, []string{
		secure.String(), parent + ". 300 IN NS ns." + parent + ".", "ns." + parent + ". 300 IN A " + ip(address),
	})
	return root{write(tb, dir, "root.hints", ". 3600000 NS ns.", "ns. 3600000 A "+ip(rootAddress)), anchor}
}

// serve starts a server of a zone, NLnet Labs' nsd, and returns the DS record of the key that it is signed with.
func serve(tb testing.TB, dir, origin, address string, records []string) *dns.DS {
	tb.Helper()
	ns := "ns." + strings.TrimPrefix(origin, ".")
	zone := write(tb, dir, origin+"zone", append([]string{
		fmt.Sprintf("%s 300 IN SOA %s hostmaster.%s. 1 3600 600 86400 300", origin, ns, parent),
		fmt.Sprintf("%s 300 IN NS %s", origin, ns), fmt.Sprintf("%s 300 IN A %s", ns, ip(address)),
	}, records...)...)
	ds := sign(tb, dir, origin, zone)
	state := tb.TempDir()
	config := write(tb, state, "nsd.conf",
		"server:", " ip-address: "+ip(address), fmt.Sprintf(" port: %d", port), " do-ip6: no", " server-count: 1",
		fmt.Sprintf(" zonesdir: %q", state), fmt.Sprintf(" xfrdir: %q", state), ` xfrdfile: "xfrd.state"`, ` zonelistfile: "zone.list"`,
		` chroot: ""`, ` username: ""`, ` database: ""`, ` pidfile: ""`,
		"remote-control:", " control-enable: no",
		"zone:", fmt.Sprintf(" name: %q", origin), fmt.Sprintf(" zonefile: %q", zone+".signed"))
	p := start(tb, "nsd", find(tb, "nsd"), "-d", "-c", config)
	await(tb, "nsd", address, origin, p, func(*dns.Msg) error { return nil })
	return ds
}

// sign signs a zone with a key of its own, and returns the DS record of that. The tools are there if named is.
func sign(tb testing.TB, dir, origin, zone string) *dns.DS {
	tb.Helper()
	run := func(program string, args ...string) {
		tb.Helper()
		cmd := exec.CommandContext(tb.Context(), find(tb, program), args...)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			tb.Fatalf("resolvers: %s: %v\n%s", cmd, err, out)
		}
	}
	run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", "-K", dir, origin)
	run("dnssec-signzone", "-q", "-S", "-z", "-K", dir, "-d", dir, "-o", origin, "-f", zone+".signed", zone)
	text, err := os.ReadFile(filepath.Join(dir, "dsset-"+origin))
	if err != nil {
		tb.Fatalf("resolvers: %v", err)
	}
	rr, err := dns.NewRR(strings.TrimSpace(string(text)))
	ds, ok := rr.(*dns.DS)
	if err != nil || !ok {
		tb.Fatalf("resolvers: dnssec-signzone says that the DS record of %s is %q: %v", origin, text, err)
	}
	return ds
}
