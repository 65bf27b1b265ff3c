// Package resolvers runs, for tests, the DNS that the quorum of docs/protocol.md §4 goes through: three recursive resolvers
// of different makes from Debian's packages (unbound, Knot Resolver's kresd, BIND's named), and the authoritative server
// (nsd) of the root and of the parent zone, which delegates <region>.<zone> to each region.
//
// What is real: all that is between the question of a region and the responder of another. The resolvers find the regions
// by themselves, from the root on, through delegations and glue; each has its cache, and its habits on: 0x20 (unbound,
// kresd), QNAME minimisation, DNSSEC validation of root and parent against a private trust anchor, prefetch, serving what
// is stale. The regions' own zones are unsigned, as docs/dns.md says. What is not: the root is this package's own, and
// the internet is loopback.
//
// Every Lab has a network of its own in 127.0.0.0/8, since servers that are found by delegation have port 53. So the
// tests need root, or net.ipv4.ip_unprivileged_port_start at 53 or below. The programs come from e2e/setup.sh.
//
// A [Meddler] stands before a resolver, or a region, and does to queries and answers what a test tells it to.
package resolvers
