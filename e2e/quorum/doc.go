// Package quorum tests three real daemons with the DNS quorum (docs/protocol.md §4) between them: unbound, Knot Resolver and
// BIND as the three resolvers, and Cloudflare's own KV code as the witness.
//
//	resolvers   way, one for each region and resolver     door, one for each region
//	region  ->  [resolvers.Meddler]  ->  resolver  ->  [resolvers.Meddler]  ->  region
//
// Between each region and each resolver, and before each region, there is a proxy, which a test cuts or has lie. All
// runs on one machine, so that there is one boot clock. What is judged is what the layers and the history wrote down, not
// what the daemons say of themselves. No time is asserted but those of the protocol's safety; figures are in the log.
package quorum
