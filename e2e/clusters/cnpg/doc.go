// Package cnpg hands real PostgreSQL over between two whole clusters (package clusters): CloudNativePG's operator from its
// own manifest, a Cluster of one instance in each region with PostgreSQL 15, streaming between them, and a failoverd in each
// region that has the layer cnpg. The witness is Cloudflare's own KV code, in the hub.
//
// What is real: all of that, with the links between. What is not: the resolvers of the DNS quorum, which are forwarders
// (package quorum has real ones), and the disks, which a killed region keeps in the page cache of the machine.
//
// A writer in each region tries to write every 50 ms, from inside, so that it also sees a region that is cut off. What it was
// promised, and what it finds later, are the figures.
package cnpg
